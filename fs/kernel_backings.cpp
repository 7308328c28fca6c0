#include "fs/kernel_backings.h"

#include <sys/ioctl.h>

#include <cerrno>

namespace satchel::fs {
namespace {

// As in the kernel's linux/fuse.h since 6.9; that of the build may be older.
struct BackingMap {
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
constexpr unsigned kFuseIoctls = 229;
const unsigned long kBackingOpen = _IOW(kFuseIoctls, 1, BackingMap);
const unsigned long kBackingClose = _IOW(kFuseIoctls, 2, std::uint32_t);

}  // namespace

Result<BackingId> KernelBackings::add(int fd) {
  const BackingMap map{.fd = fd, .flags = 0, .padding = 0};
  const int id = ::ioctl(connection_fd_, kBackingOpen, &map);
  if (id <= 0) return Error{.code = id < 0 ? errno : EOPNOTSUPP};
  return BackingId{id};
}

void KernelBackings::remove(BackingId id) {
  const auto number = static_cast<std::uint32_t>(id);
  (void)::ioctl(connection_fd_, kBackingClose, &number);  // fails once the mount is gone: so is it
}

}  // namespace satchel::fs
