// Space that is kept on a filesystem for the time when it is full.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/path.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace satchel::store {

/// A file of nothing that takes its bytes up, so that there are some to give back when nobody else
/// has any: to remove a file, too, takes a little. Who asks before each write keeps a full disk
/// away from a database that stops at one; unless somebody else fills the disk between the question
/// and the write. Where files cannot be allocated the reserve is empty.
///
/// Thread-safe.
class SpaceReserve {
 public:
  /// No reserve: there is always room.
  SpaceReserve() = default;
  /// Makes or finds the file `place`, of `bytes_max` or of a 64th of its filesystem if that is
  /// less. It may be short at first. Errors: EACCES, EROFS, EIO.
  Result<void> open(const HostPath& place, std::uint64_t bytes_max);

  /// True if all of it is held, after taking what was missing, and there is something beside it.
  bool has_room();
  /// Sees to it that something is free, by giving parts of it back.
  void make_room();

 private:
  bool fill();
  bool release();
  [[nodiscard]] bool is_free(std::uint64_t bytes) const;

  std::mutex mutex_;
  UniqueFd file_;
  bool may_use_all_blocks_ = false;
  std::uint64_t bytes_wanted_ = 0;
  std::uint64_t bytes_held_ = 0;
};

}  // namespace satchel::store
