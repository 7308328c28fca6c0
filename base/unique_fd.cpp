#include "base/unique_fd.h"

#include <unistd.h>

#include <cerrno>

namespace satchel {

void UniqueFd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old < 0) return;
  // The descriptor is gone whatever close() answers (so no retry on EINTR), and callers that report
  // an errno must not find it changed by a clean-up. Lost writes are fsync_fd()'s to report.
  const int saved = errno;
  (void)::close(old);
  errno = saved;
}

}  // namespace satchel
