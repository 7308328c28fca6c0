// Whole reads and writes, durable files, and paths that cannot leave their root.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/digest.h"
#include "base/path.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace satchel {

/// What names of temporary files start with; a crash may leave some, which their folder's owner
/// removes.
inline constexpr std::string_view kTemporaryPrefix = ".satchel-tmp-";

/// Makes or replaces `name`: temporary file → fsync → rename → fsync of the directory. On return
/// the bytes survive a power cut; on an error the old file is as it was. The mode is exact,
/// whatever the umask. Errors: ENOSPC (kNoSpace), EROFS (kReadOnly), EIO (kIo), EACCES, EISDIR.
Result<void> write_file_durably(int dir_fd, const Name& name, Bytes bytes, mode_t mode);

/// All of a regular file. Does not follow a symbolic link. Errors: ENOENT, ELOOP, EINVAL (not a
/// regular file), EFBIG (kLimit: longer than `bytes_max`), EACCES, EIO (kIo).
Result<std::vector<std::byte>> read_file(int dir_fd, const Name& name, std::size_t bytes_max);

/// Errors: EIO (kIo), ENOSPC (kNoSpace).
Result<void> fsync_fd(int fd);
/// Makes names that were added to, moved in or removed from the directory durable. Errors: EIO
/// (kIo).
Result<void> fsync_directory(int dir_fd);

/// The count of bytes read: fewer than `into` holds only at the end of the file. Errors: EIO (kIo).
Result<std::size_t> pread_all(int fd, std::span<std::byte> into, std::uint64_t offset);
/// Errors: ENOSPC (kNoSpace), EFBIG, EROFS (kReadOnly), EIO (kIo).
Result<void> pwrite_all(int fd, Bytes bytes, std::uint64_t offset);
/// The same where the file reads as zeros so far: pages of zeros stay holes.
Result<void> pwrite_sparse(int fd, Bytes bytes, std::uint64_t offset);

/// openat2(2) that cannot leave `dir_fd`, by symbolic links neither: those inside are followed,
/// unless `flags` hold O_NOFOLLOW; the root path opens the directory itself. O_CLOEXEC is added.
/// Errors: EXDEV (leads outside), ENOENT, ENOTDIR, ELOOP, EACCES, EEXIST and others of openat2(2).
Result<UniqueFd> open_beneath(int dir_fd, const RelativePath& path, int flags, mode_t mode = 0);

/// Opens the directory `path`, after making what is missing of it, durably. Errors: ENOTDIR (a file
/// or a symbolic link is in the way), EACCES, ENOSPC (kNoSpace), EROFS (kReadOnly).
Result<UniqueFd> make_directories_at(int dir_fd, const RelativePath& path, mode_t mode);

/// errno_error() for calls on the filesystem below: ENOSPC and EDQUOT get kNoSpace, EROFS
/// kReadOnly, EIO kIo.
Error file_error(std::string_view path, std::string_view doing);
/// There is no room below, for anybody or for this user.
bool is_full(const Error& error);

}  // namespace satchel
