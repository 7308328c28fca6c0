// Root records and xattr sets of any bytes: what is accepted encodes to the very bytes that it came
// from.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "store/root.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const satchel::Bytes bytes = std::as_bytes(std::span(data, size));
  if (const auto root = satchel::store::decode_root(bytes)) {
    SATCHEL_ASSERT(std::ranges::equal(satchel::store::encode_root(*root), bytes));
  }
  if (const auto xattrs = satchel::store::decode_xattrs(bytes)) {
    const std::string set = satchel::store::encode_xattrs(*xattrs);
    SATCHEL_ASSERT(std::ranges::equal(satchel::as_bytes(set), bytes));
  }
  return 0;
}
