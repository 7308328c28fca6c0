#include "fs/inode_flags.h"

#include <linux/fs.h>

#include <algorithm>
#include <cerrno>

namespace satchel::fs {
namespace {

// The kernel passes an int, though the command's number says long.
constexpr std::size_t kFlagsBytes = sizeof(int);

Result<std::string> zeros(std::size_t size, std::size_t out_bytes) {
  if (out_bytes < size) return Error{.code = EINVAL};
  return std::string(size, '\0');
}

Result<std::string> only_zeros(Bytes in, std::size_t size) {
  if (in.size() < size) return Error{.code = EINVAL};
  const bool has_flag =
      std::ranges::any_of(in.first(size), [](std::byte byte) { return byte != std::byte{0}; });
  if (has_flag) return Error{.code = EOPNOTSUPP};
  return std::string();
}

}  // namespace

Result<std::string> answer_flags_ioctl(unsigned command, Bytes in, std::size_t out_bytes) {
  switch (command) {
    case FS_IOC_GETFLAGS:
      return zeros(kFlagsBytes, out_bytes);
    case FS_IOC_SETFLAGS:
      return only_zeros(in, kFlagsBytes);
    case FS_IOC_FSGETXATTR:
      return zeros(sizeof(fsxattr), out_bytes);
    case FS_IOC_FSSETXATTR:
      return only_zeros(in, sizeof(fsxattr));
    default:
      return Error{.code = ENOTTY};
  }
}

}  // namespace satchel::fs
