#include "fs/block_map.h"

#include <algorithm>

namespace satchel::fs {
namespace {

constexpr std::uint64_t kBitsPerByte = 8;
/// After which a copy of the rest is worth its price.
constexpr std::uint64_t kManyBytes = 16U << 20U;

std::uint64_t blocks_of(std::uint64_t bytes) {
  return bytes / kCopyBlockBytes + (bytes % kCopyBlockBytes != 0 ? 1 : 0);
}

}  // namespace

std::uint64_t BlockMap::shown_bytes() const {
  const std::lock_guard lock(mutex_);
  return shown_bytes_;
}

std::uint64_t BlockMap::shown_blocks() const {
  return blocks_of(shown_bytes());
}

bool BlockMap::owns_locked(std::uint64_t block) const {
  if (block >= blocks_of(shown_bytes_)) return true;
  const auto found = owned_.find(block / kRegionBlocks);
  return found != owned_.end() && found->second.test(block % kRegionBlocks);
}

bool BlockMap::owns(std::uint64_t block) const {
  const std::lock_guard lock(mutex_);
  return owns_locked(block);
}

std::vector<BlockMap::Run> BlockMap::runs(std::uint64_t offset, std::uint64_t length) const {
  const std::lock_guard lock(mutex_);
  std::vector<Run> runs;
  const std::uint64_t end = offset + length;
  while (offset < end) {
    const std::uint64_t block = offset / kCopyBlockBytes;
    const std::uint64_t stop = std::min(end, (block + 1) * kCopyBlockBytes);
    const bool is_own = owns_locked(block);
    if (runs.empty() || runs.back().is_own != is_own) {
      runs.push_back({.offset = offset, .length = 0, .is_own = is_own, .shown = 0});
    }
    runs.back().length += stop - offset;
    offset = stop;
  }
  for (Run& run : runs) {
    if (run.is_own || run.offset >= shown_bytes_) continue;
    run.shown = std::min(run.length, shown_bytes_ - run.offset);
  }
  return runs;
}

std::vector<std::uint64_t> BlockMap::cut_blocks(std::uint64_t offset, std::uint64_t length) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> cut;
  if (length == 0) return cut;
  const std::uint64_t end = offset + length;
  const std::uint64_t first = offset / kCopyBlockBytes;
  const std::uint64_t last = (end - 1) / kCopyBlockBytes;
  if (offset % kCopyBlockBytes != 0 && !owns_locked(first)) cut.push_back(first);
  const bool leaves_some = end < std::min((last + 1) * kCopyBlockBytes, shown_bytes_);
  if (leaves_some && !owns_locked(last) && (cut.empty() || last != first)) cut.push_back(last);
  return cut;
}

BlockMap::Region BlockMap::region(std::uint64_t index) const {
  const std::lock_guard lock(mutex_);
  const auto found = owned_.find(index);
  return found == owned_.end() ? Region() : found->second;
}

void BlockMap::set_region(std::uint64_t index, const Region& owned) {
  const std::lock_guard lock(mutex_);
  owned_.insert_or_assign(index, owned);
}

std::vector<std::uint64_t> BlockMap::owned_regions() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> indices;
  for (const auto& [index, owned] : owned_) {
    if (owned.any()) indices.push_back(index);
  }
  return indices;
}

void BlockMap::disown(std::uint64_t offset, std::uint64_t end) {
  if (offset >= end) return;
  const std::lock_guard lock(mutex_);
  for (auto& [index, owned] : owned_) {
    const std::uint64_t start = index * kRegionBlocks;
    const std::uint64_t first = std::max(offset / kCopyBlockBytes, start);
    const std::uint64_t stop = std::min(blocks_of(end), start + kRegionBlocks);
    for (std::uint64_t block = first; block < stop; ++block) owned.reset(block - start);
  }
}

void BlockMap::hide_from(std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  shown_bytes_ = std::min(shown_bytes_, offset);
}

bool BlockMap::note_use(std::uint64_t bytes) {
  const std::uint64_t before = used_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return before / kManyBytes != (before + bytes) / kManyBytes;
}

std::string encode_region(const BlockMap::Region& region) {
  std::string value(kRegionBlocks / kBitsPerByte, '\0');
  for (std::size_t bit = 0; bit < kRegionBlocks; ++bit) {
    if (!region.test(bit)) continue;
    char& byte = value[bit / kBitsPerByte];
    byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << bit % kBitsPerByte));
  }
  return value;
}

Result<BlockMap::Region> decode_region(std::string_view value) {
  if (value.size() != kRegionBlocks / kBitsPerByte) {
    return Error{.code = EUCLEAN,
                 .sat = Sat::kContradiction,
                 .message = "a record of copied blocks has the wrong length"};
  }
  BlockMap::Region region;
  for (std::size_t bit = 0; bit < kRegionBlocks; ++bit) {
    const auto byte = static_cast<unsigned char>(value[bit / kBitsPerByte]);
    region.set(bit, (byte >> bit % kBitsPerByte & 1U) != 0);
  }
  return region;
}

}  // namespace satchel::fs
