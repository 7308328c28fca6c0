// Which blocks of a large changed file have bytes of their own.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/ids.h"

namespace satchel::fs {

/// What is copied for a write to a part of it.
inline constexpr std::uint64_t kCopyBlockBytes = 4096;
/// What is recorded together.
inline constexpr std::uint64_t kRegionBlocks = 1024;
inline constexpr std::uint64_t kRegionBytes = kRegionBlocks * kCopyBlockBytes;

/// Block copy-on-write: a file that shows a content of the base, up to `shown_bytes()`, in every
/// block that it does not own. A block of its own stays one, but for a
/// power cut; beyond the shown bytes all are.
///
/// Thread-safe.
class BlockMap {
 public:
  using Region = std::bitset<kRegionBlocks>;
  struct Run {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool is_own = false;
    std::uint64_t shown = 0;  ///< if it is not: bytes of the content; zeros follow
  };

  BlockMap(const store::ContentId& content, std::uint64_t shown_bytes)
      : content_(content), shown_bytes_(shown_bytes) {}

  [[nodiscard]] const store::ContentId& content() const { return content_; }
  [[nodiscard]] std::uint64_t shown_bytes() const;
  [[nodiscard]] bool owns(std::uint64_t block) const;
  /// [offset, offset + length), cut where the owner changes; all as of one moment.
  [[nodiscard]] std::vector<Run> runs(std::uint64_t offset, std::uint64_t length) const;
  /// Blocks not its own of which a write to [offset, offset + length) would leave shown bytes: at
  /// most the first and the last.
  [[nodiscard]] std::vector<std::uint64_t> cut_blocks(std::uint64_t offset,
                                                      std::uint64_t length) const;
  [[nodiscard]] Region region(std::uint64_t index) const;
  void set_region(std::uint64_t index, const Region& owned);
  [[nodiscard]] std::uint64_t shown_blocks() const;  ///< the last may be shown in part
  [[nodiscard]] std::vector<std::uint64_t> owned_regions() const;  ///< with a block of its own
  /// No block that [offset, end) touches is its own any more: its bytes never reached the medium.
  void disown(std::uint64_t offset, std::uint64_t end);
  /// Nothing from `offset` on is shown any more.
  void hide_from(std::uint64_t offset);

  /// Held by who changes bytes of the file, or its blocks; under the inode's io_mutex, or alone.
  [[nodiscard]] std::mutex& write_mutex() { return write_mutex_; }
  /// Tells of bytes read or written through the daemon. True each time they have become many.
  bool note_use(std::uint64_t bytes);

 private:
  [[nodiscard]] bool owns_locked(std::uint64_t block) const;

  const store::ContentId content_;
  std::mutex write_mutex_;
  std::atomic<std::uint64_t> used_bytes_ = 0;
  mutable std::mutex mutex_;
  std::uint64_t shown_bytes_;
  std::map<std::uint64_t, Region> owned_;
};

/// As it is stored: 128 bytes, block 0 in the lowest bit of the first.
std::string encode_region(const BlockMap::Region& region);
/// Errors: EUCLEAN.
Result<BlockMap::Region> decode_region(std::string_view value);

}  // namespace satchel::fs
