// Which Satchel mounts there are, without touching them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/path.h"

namespace satchel::fs {

inline constexpr std::string_view kFilesystemType = "fuse.satchel";
/// Before the user's or image's name in a mount's source.
inline constexpr std::string_view kSourcePrefix = "satchel:";

/// A line of /proc/self/mountinfo.
struct MountedFilesystem {
  std::string device;  ///< "0:57": unique among the mounts of a kernel
  HostPath mount_point;
  std::string type;
  std::string source;   ///< "satchel:ada"
  std::string options;  ///< of the mount point, "rw,nosuid"
  friend bool operator==(const MountedFilesystem&, const MountedFilesystem&) = default;
};

/// Reads lines as the kernel writes them; lines that are not so are left out.
std::vector<MountedFilesystem> parse_mount_table(std::string_view text);
/// Errors: those of reading /proc/self/mountinfo.
Result<std::vector<MountedFilesystem>> read_mount_table();
/// As another process sees it. Errors: ENOENT, EACCES.
Result<std::vector<MountedFilesystem>> read_mount_table_of(pid_t process);

/// `path` absolute and without symbolic links, save that its last name is not looked at: a mount
/// there may be dead or stuck. Errors: ENOENT, ENOTDIR, EACCES.
Result<HostPath> resolve_mount_point(const HostPath& path);

/// The topmost filesystem mounted exactly at `mount_point` (resolved).
Result<std::optional<MountedFilesystem>> find_mounted_at(const HostPath& mount_point);
/// The Satchel mount at `path`. Errors: ENOTCONN/kNotAMount.
Result<MountedFilesystem> find_satchel_mount(const HostPath& path);
/// The Satchel mount that `path` is in, and the path inside; `path` itself is not touched. Errors:
/// ENOTCONN/kNotAMount.
struct PathInMount {
  MountedFilesystem mount;
  RelativePath path;
};
Result<PathInMount> find_satchel_mount_of(const HostPath& path);

}  // namespace satchel::fs
