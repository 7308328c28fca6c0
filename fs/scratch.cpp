#include "fs/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "base/file_io.h"

namespace satchel::fs {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

bool is_in_memory(int fd) {
  struct statfs found {};
  return ::fstatfs(fd, &found) == 0 && (found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC);
}

UniqueFd open_folder(int parent, const std::string& name) {
  return UniqueFd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

/// The folder with the files in it, if it is there. It holds no folders.
void remove_folder(int parent, const std::string& name) {
  UniqueFd folder = open_folder(parent, name);
  if (!folder.valid()) return;
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(folder.get()));
  if (!directory) return;
  const int fd = folder.release();  // the DIR owns it now
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of its own
  while (const dirent* entry = ::readdir(directory.get())) {
    (void)::unlinkat(fd, &entry->d_name[0], 0);  // "." and "..", or rmdir below tells
  }
  (void)::unlinkat(parent, name.c_str(), AT_REMOVEDIR);  // what is left, make() finds in its way
}

}  // namespace

std::optional<Scratch> Scratch::make(const HostPath& parent, std::string_view name,
                                     const Log& log) {
  Scratch scratch(UniqueFd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                  std::string(name));
  const int fd = scratch.parent_.get();
  if (!scratch.parent_.valid() || !is_in_memory(fd)) {
    log.warn("no scratch memory: what rules discard is on disk until the end of the mount");
    return std::nullopt;
  }
  remove_folder(fd, scratch.name_);
  if (::mkdirat(fd, scratch.name_.c_str(), 0700) != 0) {
    log.warn("no scratch memory: what rules discard is on disk until the end of the mount errno={}",
             errno);
    scratch.name_.clear();
    return std::nullopt;
  }
  return scratch;
}

Scratch::Scratch(Scratch&& other) noexcept
    : parent_(std::move(other.parent_)), name_(std::exchange(other.name_, {})) {}

Scratch::~Scratch() {
  if (parent_.valid() && !name_.empty()) remove_folder(parent_.get(), name_);
}

Result<UniqueFd> Scratch::open() const {
  UniqueFd folder = open_folder(parent_.get(), name_);
  if (!folder.valid()) return file_error(name_, "open the scratch folder");
  return folder;
}

}  // namespace satchel::fs
