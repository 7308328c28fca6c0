#include "test/unit/fs/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/file_io.h"
#include "base/result.h"

namespace satchel::fs::test {

std::string read_whole(int fd) {
  struct stat found {};
  SATCHEL_ASSERT(::fstat(fd, &found) == 0);
  std::string text(static_cast<std::size_t>(found.st_size), '\0');
  const auto bytes = std::as_writable_bytes(std::span(text));
  const auto read = pread_all(fd, bytes, 0);
  SATCHEL_ASSERT(read.has_value() && *read == text.size());
  return text;
}

std::vector<std::string> names_in(int directory_fd) {
  const int own = ::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  SATCHEL_ASSERT(own >= 0);
  DIR* const directory = ::fdopendir(own);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe): own DIR
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

store::Xattrs xattrs_at(const std::string& path) {
  store::Xattrs xattrs;
  std::string names(4096, '\0');
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  for (ssize_t at = 0; at < length;) {
    const std::string name = names.c_str() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    if (!name.starts_with("user.") && !name.starts_with("trusted.")) continue;
    std::string value(65536, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    xattrs[name] = value;
  }
  return xattrs;
}

std::string text_of(const store::Xattrs& xattrs) {
  std::string text;
  for (const auto& [name, value] : xattrs) text += name + "=" + value + ";";
  return text;
}

}  // namespace satchel::fs::test
