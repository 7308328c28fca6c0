// A pack of any bytes: its index is read and so is every entry that it names, within bounds.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/file_io.h"
#include "base/sha256.h"
#include "store/pack.h"

namespace {

using satchel::Bytes;
using satchel::UniqueFd;

constexpr std::size_t kFooterBytes = 64;
constexpr std::size_t kIndexOffsetAt = 0;
constexpr std::size_t kHashAt = 24;
constexpr std::size_t kEntriesReadMax = 64;

void read_all(Bytes pack) {
  const UniqueFd fd(::memfd_create("pack", MFD_CLOEXEC));
  SATCHEL_ASSERT(fd.valid() && satchel::pwrite_all(fd.get(), pack, 0));
  const auto items = satchel::store::read_pack_index(fd.get());
  if (!items) return;
  for (const auto& item : std::span(*items).first(std::min(items->size(), kEntriesReadMax))) {
    const auto raw = satchel::store::read_pack_entry(fd.get(), item);
    SATCHEL_ASSERT(!raw || raw->size() == item.raw_bytes);
  }
}

/// The same with a hash in the footer that fits, so that what stands behind the check is reached
/// too.
void read_with_right_hash(Bytes pack) {
  if (pack.size() < kFooterBytes) return;
  std::vector<std::byte> bytes(pack.begin(), pack.end());
  const std::span footer = std::span(bytes).last(kFooterBytes);
  std::uint64_t index_offset = 0;
  for (std::size_t i = 8; i-- > 0;) {
    index_offset =
        (index_offset << 8U) | std::to_integer<std::uint64_t>(footer[kIndexOffsetAt + i]);
  }
  const std::size_t body_bytes = bytes.size() - kFooterBytes;
  if (index_offset > body_bytes) return;
  const auto hash = satchel::sha256(std::span(bytes).subspan(
      static_cast<std::size_t>(index_offset), body_bytes - static_cast<std::size_t>(index_offset)));
  std::ranges::copy(hash, footer.subspan(kHashAt).begin());
  read_all(bytes);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  read_all(bytes);
  read_with_right_hash(bytes);
  return 0;
}
