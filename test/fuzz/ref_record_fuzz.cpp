// A ref record of any bytes: what can be decoded encodes to the very bytes that were read.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/sha256.h"
#include "store/refs.h"

namespace {

using satchel::Bytes;

void decode(Bytes bytes) {
  const auto record = satchel::store::decode_record(bytes);
  if (record) SATCHEL_ASSERT(std::ranges::equal(satchel::store::encode_record(*record), bytes));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  decode(bytes);
  // And with a checksum that fits, so that what stands behind it is reached too.
  if (bytes.size() < satchel::Sha256Value{}.size()) return 0;
  std::vector<std::byte> with_checksum(bytes.begin(), bytes.end());
  with_checksum.resize(bytes.size() - satchel::Sha256Value{}.size());
  const auto hash = satchel::sha256(with_checksum);
  with_checksum.insert(with_checksum.end(), hash.begin(), hash.end());
  decode(with_checksum);
  return 0;
}
