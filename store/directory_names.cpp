#include "store/directory_names.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "base/file_io.h"
#include "base/unique_fd.h"

namespace satchel::store {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { (void)::closedir(directory); }  // was only read
};

using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

Result<std::vector<std::string>> read_names(DIR* directory, std::string_view path) {
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of its own
    const dirent* const entry = ::readdir(directory);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return file_error(path, "cannot list the directory");
  return names;
}

}  // namespace

Result<std::vector<std::string>> list_directory_names(const HostPath& path) {
  const DirectoryStream directory(::opendir(path.c_str()));
  if (directory == nullptr) return file_error(path.text, "cannot open the directory");
  return read_names(directory.get(), path.text);
}

Result<std::vector<std::string>> list_directory_names(int directory_fd) {
  // A descriptor of its own, since a stream closes the one it has and moves its offset.
  UniqueFd fd(::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return file_error("", "cannot open the directory");
  const DirectoryStream directory(::fdopendir(fd.get()));
  if (directory == nullptr) return file_error("", "cannot open the directory");
  (void)fd.release();  // the stream closes it
  return read_names(directory.get(), "");
}

}  // namespace satchel::store
