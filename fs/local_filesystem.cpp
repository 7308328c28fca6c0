#include "fs/local_filesystem.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>

namespace satchel::fs {
namespace {

constexpr std::array<std::uint32_t, 9> kLocalKinds = {
    BTRFS_SUPER_MAGIC, EROFS_SUPER_MAGIC_V1,
    EXT4_SUPER_MAGIC,  // of ext2 and ext3 too
    F2FS_SUPER_MAGIC,  MSDOS_SUPER_MAGIC,    RAMFS_MAGIC,
    SQUASHFS_MAGIC,    TMPFS_MAGIC,          XFS_SUPER_MAGIC,
};

}  // namespace

Result<bool> is_on_this_machine(const HostPath& path) {
  struct statfs found {};
  if (::statfs(path.c_str(), &found) != 0) return errno_error(path.text, "look at its filesystem");
  const auto kind = static_cast<std::uint32_t>(found.f_type);
  return std::ranges::find(kLocalKinds, kind) != kLocalKinds.end();
}

}  // namespace satchel::fs
