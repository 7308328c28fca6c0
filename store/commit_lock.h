// One committer at a time, where the filesystem has no link(2). docs/format.md, section 6.
#pragma once

#include <string>

#include "base/path.h"

namespace satchel::store {

/// Holds refs/tmp/commit.lock, made with O_EXCL and holding its owner's nonce. A lock that is older
/// than a commit can take (its owner died) is broken.
class CommitLock {
 public:
  /// Waits for another committer for some seconds. Errors: EAGAIN (kLostRace: still held), EROFS,
  /// EIO.
  static Result<CommitLock> take(const HostPath& repository, const std::string& nonce);
  CommitLock(CommitLock&& other) noexcept;
  CommitLock& operator=(CommitLock&&) = delete;
  ~CommitLock();

  /// Nobody has broken it meanwhile. Errors: EAGAIN (kLostRace).
  Result<void> check() const;

 private:
  CommitLock(HostPath path, std::string nonce) : path_(std::move(path)), nonce_(std::move(nonce)) {}
  HostPath path_;
  std::string nonce_;  ///< empty: moved from
};

}  // namespace satchel::store
