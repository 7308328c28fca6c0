#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <map>

#include "base/unique_fd.h"
#include "test/unit/fs/host_files.h"
#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

int at(int fd) {
  return fd < 0 ? errno : (::close(fd), 0);
}

void list_plain(const std::string& root, const std::string& path, Listing& listing,
                std::map<ino_t, std::string>& first_paths) {
  const UniqueFd fd(::open((root + "/" + path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const std::string& name : names_in(fd.get())) {
    const std::string below = join(path, name);
    const std::string host = root + "/" + below;
    struct stat stat {};
    SATCHEL_ASSERT(::lstat(host.c_str(), &stat) == 0);
    Found found{.mode = stat.st_mode,
                .nlink = static_cast<std::uint32_t>(stat.st_nlink),
                .uid = stat.st_uid,
                .gid = stat.st_gid,
                .size = S_ISDIR(stat.st_mode) ? 0 : static_cast<std::uint64_t>(stat.st_size),
                .bytes = {},
                .xattrs = text_of(xattrs_at(host)),
                .links = first_paths.try_emplace(stat.st_ino, below).first->second};
    if (S_ISREG(stat.st_mode)) {
      const UniqueFd file(::open(host.c_str(), O_RDONLY | O_CLOEXEC));
      found.bytes = read_whole(file.get());
    }
    if (S_ISLNK(stat.st_mode)) {
      found.bytes.resize(4096);
      found.bytes.resize(static_cast<std::size_t>(
          ::readlink(host.c_str(), found.bytes.data(), found.bytes.size())));
    }
    if (S_ISDIR(stat.st_mode)) {
      // btrfs and others do not count subdirectories in st_nlink; ext4 and the view do.
      std::uint32_t subdirectories = 0;
      const UniqueFd sub(::open(host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      for (const std::string& inner : names_in(sub.get())) {
        struct stat inner_stat {};
        SATCHEL_ASSERT(::lstat((host + "/" + inner).c_str(), &inner_stat) == 0);
        if (S_ISDIR(inner_stat.st_mode)) ++subdirectories;
      }
      found.nlink = subdirectories + 2;
    }
    listing[below] = found;
    if (S_ISDIR(stat.st_mode)) list_plain(root, below, listing, first_paths);
  }
}

}  // namespace

int PlainDirectory::make_file(const std::string& path, mode_t mode) {
  return at(::openat(fd(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
}
int PlainDirectory::make_directory(const std::string& path, mode_t mode) {
  return code_of(::mkdirat(fd(), path.c_str(), mode));
}
int PlainDirectory::make_symlink(const std::string& path, const std::string& target) {
  return code_of(::symlinkat(target.c_str(), fd(), path.c_str()));
}
int PlainDirectory::make_fifo(const std::string& path, mode_t mode) {
  return code_of(::mkfifoat(fd(), path.c_str(), mode));
}
int PlainDirectory::write(const std::string& path, std::uint64_t offset, const std::string& bytes) {
  const UniqueFd file(::openat(fd(), path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) return errno;
  return ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) < 0 ? errno
                                                                                          : 0;
}
int PlainDirectory::append(const std::string& path, const std::string& bytes) {
  const UniqueFd file(
      ::openat(fd(), path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) return errno;
  return ::write(file.get(), bytes.data(), bytes.size()) < 0 ? errno : 0;
}
int PlainDirectory::truncate(const std::string& path, std::uint64_t size) {
  return code_of(
      ::truncate((directory_.path().text + "/" + path).c_str(), static_cast<off_t>(size)));
}
int PlainDirectory::unlink(const std::string& path) {
  return code_of(::unlinkat(fd(), path.c_str(), 0));
}
int PlainDirectory::remove_directory(const std::string& path) {
  return code_of(::unlinkat(fd(), path.c_str(), AT_REMOVEDIR));
}
int PlainDirectory::link(const std::string& from, const std::string& to) {
  return code_of(::linkat(fd(), from.c_str(), fd(), to.c_str(), 0));
}
int PlainDirectory::rename(const std::string& from, const std::string& to, unsigned flags) {
  return code_of(::renameat2(fd(), from.c_str(), fd(), to.c_str(), flags));
}
int PlainDirectory::change_mode(const std::string& path, mode_t mode) {
  return code_of(::fchmodat(fd(), path.c_str(), mode, 0));
}
int PlainDirectory::change_owner(const std::string& path, uid_t uid, gid_t gid) {
  return code_of(::fchownat(fd(), path.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW));
}
int PlainDirectory::set_xattr(const std::string& path, const std::string& name,
                              const std::string& value) {
  const std::string host = directory_.path().text + "/" + path;
  return code_of(::lsetxattr(host.c_str(), name.c_str(), value.data(), value.size(), 0));
}

Listing PlainDirectory::list() {
  Listing listing;
  std::map<ino_t, std::string> first_paths;
  list_plain(directory_.path().text, "", listing, first_paths);
  return listing;
}

}  // namespace satchel::fs::test
