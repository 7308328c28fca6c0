#include "store/import/host_inode.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "base/file_io.h"
#include "store/format_error.h"

namespace satchel::store {
namespace {

constexpr std::size_t kXattrListBytesMax = 64U << 10U;  // the kernel's
constexpr std::size_t kXattrValueBytesMax = 64U << 10U;
constexpr std::size_t kTargetBytesMax = 4'095;
constexpr unsigned kPermissionBits = 07777;

/// The xattr calls on an open file, or through /proc on one that is open by O_PATH only: f…xattr()
/// refuses those, and l…xattr() would look the name up once more.
class XattrSource {
 public:
  static XattrSource of_file(int fd) { return {fd, {}}; }
  static XattrSource of_path(int fd) { return {fd, fmt::format("/proc/self/fd/{}", fd)}; }

  ssize_t list(char* into, std::size_t size) const {
    return path_.empty() ? ::flistxattr(fd_, into, size) : ::listxattr(path_.c_str(), into, size);
  }
  ssize_t get(const char* name, char* into, std::size_t size) const {
    return path_.empty() ? ::fgetxattr(fd_, name, into, size)
                         : ::getxattr(path_.c_str(), name, into, size);
  }

 private:
  XattrSource(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

Error xattr_error() {
  if (errno == E2BIG || errno == ERANGE) return beyond_limit("xattrs above 64 KiB");
  return file_error("", "cannot read the xattrs");
}

Result<Xattrs> list_xattrs(const XattrSource& source) {
  thread_local std::vector<char> names(kXattrListBytesMax);
  thread_local std::vector<char> value(kXattrValueBytesMax);
  Xattrs xattrs;
  const ssize_t listed = source.list(names.data(), names.size());
  if (listed < 0 && errno == ENOTSUP) return xattrs;
  if (listed < 0) return xattr_error();
  const char* const end = names.data() + listed;
  for (const char* name = names.data(); name < end; name += std::string_view(name).size() + 1) {
    const ssize_t got = source.get(name, value.data(), value.size());
    if (got < 0 && errno == ENODATA) continue;  // removed since, or not for us to see
    if (got < 0) return xattr_error();
    xattrs.emplace(name, std::string(value.data(), static_cast<std::size_t>(got)));
  }
  return xattrs;
}

Result<Attributes> make_attributes(const XattrSource& source, const struct stat& status,
                                   TreeStore& trees) {
  Attributes attributes{.mode = static_cast<std::uint16_t>(status.st_mode & kPermissionBits),
                        .uid = status.st_uid,
                        .gid = status.st_gid,
                        .mtime = Timestamp::from(status.st_mtim),
                        .xattrs = {}};
  SATCHEL_ASSIGN(const Xattrs xattrs, list_xattrs(source));
  SATCHEL_ASSIGN(attributes.xattrs, write_xattrs(trees, xattrs));
  return attributes;
}

Result<std::string> read_target(int fd) {
  std::array<char, kTargetBytesMax + 1> target{};
  const ssize_t length = ::readlinkat(fd, "", target.data(), target.size());
  if (length < 0) return file_error("", "cannot read the symbolic link");
  if (static_cast<std::size_t>(length) > kTargetBytesMax) {
    return beyond_limit("target of a symbolic link above 4095 bytes");
  }
  return std::string(target.data(), static_cast<std::size_t>(length));
}

}  // namespace

Result<UniqueFd> open_for_reading(int directory_fd, const std::string& name, int flags) {
  flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd fd(::openat(directory_fd, name.c_str(), flags | O_NOATIME));
  // O_NOATIME is for the owner and for root.
  if (!fd.valid() && errno == EPERM) fd = UniqueFd(::openat(directory_fd, name.c_str(), flags));
  if (!fd.valid()) return file_error("", "cannot open");
  return fd;
}

Result<Attributes> read_attributes(int fd, const struct stat& status, TreeStore& trees) {
  return make_attributes(XattrSource::of_file(fd), status, trees);
}

Result<Entry> read_special(int directory_fd, const Name& name, TreeStore& trees) {
  const UniqueFd fd(::openat(directory_fd, name.text().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return file_error("", "cannot open");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_error("", "cannot look at the file");
  const std::optional<Kind> kind = kind_of_mode(status.st_mode);
  if (!kind) return Error{.code = EINVAL, .message = "is of no known kind"};
  if (*kind == Kind::kFile || *kind == Kind::kDirectory) {
    return Error{.code = EBUSY, .sat = Sat::kBusyFile, .message = "was replaced while it was read"};
  }
  Entry entry;
  entry.name = name;
  entry.kind = *kind;
  SATCHEL_ASSIGN(entry.attributes, make_attributes(XattrSource::of_path(fd.get()), status, trees));
  if (kind == Kind::kSymlink) {
    SATCHEL_ASSIGN(entry.target, read_target(fd.get()));
  }
  if (kind == Kind::kCharDevice || kind == Kind::kBlockDevice) {
    entry.device = {.major = gnu_dev_major(status.st_rdev), .minor = gnu_dev_minor(status.st_rdev)};
  }
  return entry;
}

}  // namespace satchel::store
