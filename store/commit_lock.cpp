#include "store/commit_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/file_io.h"

namespace satchel::store {
namespace {

constexpr const char* kLockName = "commit.lock";
constexpr std::size_t kLockBytesMax = 256;
constexpr std::chrono::milliseconds kRetryDelay{20};
constexpr int kTriesMax = 250;  // 5 s
constexpr std::int64_t kBrokenSeconds = 60;

Error still_held(const HostPath& path) {
  return {.code = EAGAIN,
          .sat = Sat::kLostRace,
          .message = "another commit holds the lock",
          .path = path.text,
          .hint = "it is broken by itself after a minute"};
}

Result<std::string> read_owner(const HostPath& path) {
  const std::size_t slash = path.text.rfind('/');
  const UniqueFd directory(
      ::open(path.text.substr(0, slash).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return file_error(path.text, "cannot open the lock's folder");
  SATCHEL_ASSIGN(const auto bytes,
                 read_file(directory.get(), Name::checked(kLockName), kLockBytesMax));
  return std::string(as_text(bytes));
}

/// By the filesystem's own clock: the mtime of a file made now against that of the lock.
bool is_abandoned(const HostPath& lock, const HostPath& fresh) {
  struct stat lock_status {};
  struct stat fresh_status {};
  if (::stat(lock.c_str(), &lock_status) != 0 || ::stat(fresh.c_str(), &fresh_status) != 0) {
    return false;
  }
  return fresh_status.st_mtim.tv_sec - lock_status.st_mtim.tv_sec > kBrokenSeconds;
}

}  // namespace

CommitLock::CommitLock(CommitLock&& other) noexcept
    : path_(std::move(other.path_)), nonce_(std::exchange(other.nonce_, {})) {}

CommitLock::~CommitLock() {
  if (!nonce_.empty() && check()) (void)::unlink(path_.c_str());  // else it breaks in a minute
}

Result<CommitLock> CommitLock::take(const HostPath& repository, const std::string& nonce) {
  const HostPath directory = repository / "refs/tmp";
  const HostPath path = directory / kLockName;
  for (int i = 0; i < kTriesMax; ++i) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (fd.valid()) {
      CommitLock lock(path, nonce);
      SATCHEL_TRY(pwrite_all(fd.get(), as_bytes(nonce), 0));
      return lock;
    }
    if (errno != EEXIST) return file_error(path.text, "cannot take the lock");
    // The committer's own record, written a moment ago, tells what time it is there. Of two that
    // break an old lock at once the slower may remove the quicker one's new lock; that one
    // notices by check() before it renames.
    if (is_abandoned(path, directory / nonce)) {
      (void)::unlink(path.c_str());
      continue;
    }
    std::this_thread::sleep_for(kRetryDelay);
  }
  return still_held(path);
}

Result<void> CommitLock::check() const {
  const auto owner = read_owner(path_);
  if (!owner || *owner != nonce_) return still_held(path_);
  return {};
}

}  // namespace satchel::store
