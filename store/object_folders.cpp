#include "store/object_folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/random.h"
#include "store/directory_names.h"
#include "store/object_trust.h"

namespace satchel::store {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kObjectMode = 0444;
RelativePath folder_path(const ContentId& id) {
  auto path = RelativePath::parse("objects/" + id.digest.hex().substr(0, 2));
  SATCHEL_ASSERT(path.has_value());
  return *std::move(path);
}

std::string temporary_name() {
  return fmt::format("{}{:016x}", kTemporaryPrefix, SystemRandom().number());
}

/// Locks the file unless another process has; false then, and when it lost its name meanwhile.
bool lock_named(int directory_fd, const std::string& name, int fd) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return false;
  struct stat opened {};
  struct stat named {};
  return ::fstat(fd, &opened) == 0 &&
         ::fstatat(directory_fd, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_ino == named.st_ino;
}

}  // namespace

Result<ObjectFolders> ObjectFolders::open(const HostPath& directory) {
  UniqueFd root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return file_error(directory.text, "cannot open the object store");
  SATCHEL_ASSIGN(const RelativePath objects, RelativePath::parse("objects"));
  SATCHEL_TRY(make_directories_at(root.get(), objects, kFolderMode));
  SATCHEL_ASSIGN(const RelativePath parts, RelativePath::parse("parts"));
  SATCHEL_ASSIGN(UniqueFd parts_fd, make_directories_at(root.get(), parts, kFolderMode));
  ObjectFolders folders(std::move(root), std::move(parts_fd));
  folders.remove_leftovers();
  return folders;
}

// A leftover that cannot be removed is harmless, and is tried again next time.
void ObjectFolders::remove_leftovers() const {
  const auto names = list_directory_names(parts_fd());
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(kTemporaryPrefix)) continue;
    const UniqueFd fd(::openat(parts_fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (fd.valid() && lock_named(parts_fd(), name, fd.get())) {
      (void)::unlinkat(parts_fd(), name.c_str(), 0);
    }
  }
}

std::string ObjectFolders::object_name(const ContentId& id) {
  return fmt::format("{}.{}", id.digest.hex(), id.size);
}

Result<std::optional<UniqueFd>> ObjectFolders::find_folder(const ContentId& id) const {
  auto folder = open_beneath(root_fd(), folder_path(id), O_RDONLY | O_DIRECTORY);
  if (folder) return std::optional(std::move(*folder));
  if (folder.error().code == ENOENT) return std::optional<UniqueFd>();
  return std::move(folder).error();
}

Result<ObjectFolders::PartFile> ObjectFolders::create_temporary() const {
  while (true) {
    std::string name = temporary_name();
    UniqueFd fd(::openat(parts_fd(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid()) return file_error(name, "cannot make a temporary file");
    // Until it is locked, another process may take it for a leftover.
    if (lock_named(parts_fd(), name, fd.get())) return PartFile{std::move(name), std::move(fd)};
  }
}

Result<std::optional<ObjectFolders::PartFile>> ObjectFolders::try_lock(
    const std::string& name) const {
  UniqueFd fd(::openat(parts_fd(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return file_error(name, "cannot open the part");
  if (!lock_named(parts_fd(), name, fd.get())) return std::optional<PartFile>();
  return std::optional(PartFile{name, std::move(fd)});
}

Result<void> ObjectFolders::publish(const ContentId& id, int fd, int directory_fd,
                                    const std::string& name, ObjectDurability durability) const {
  if (::fchmod(fd, kObjectMode) != 0) return file_error(name, "cannot make the object read-only");
  SATCHEL_TRY(fsync_fd(fd));
  SATCHEL_ASSIGN(const UniqueFd folder,
                 make_directories_at(root_fd(), folder_path(id), kFolderMode));
  const std::string object = object_name(id);
  if (::renameat(directory_fd, name.c_str(), folder.get(), object.c_str()) != 0) {
    return file_error(name, "cannot move the object to its place");
  }
  struct stat status {};  // only now, for renaming changes the ctime
  if (::fstat(fd, &status) == 0) record_trust(folder.get(), object, status);
  return durability == ObjectDurability::kDurable ? fsync_directory(folder.get()) : Result<void>();
}

void ObjectFolders::remove_bad(const ContentId& id, ino_t inode) const {
  const auto folder = find_folder(id);
  if (!folder || !*folder) return;
  const int folder_fd = (*folder)->get();
  const std::string object = object_name(id);
  // Another process may have replaced it by a good one meanwhile, which then goes back.
  const std::string aside = temporary_name();
  if (::renameat(folder_fd, object.c_str(), parts_fd(), aside.c_str()) != 0) return;
  struct stat status {};
  if (::fstatat(parts_fd(), aside.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      status.st_ino != inode) {
    (void)::renameat(parts_fd(), aside.c_str(), folder_fd, object.c_str());
    return;
  }
  (void)::unlinkat(parts_fd(), aside.c_str(), 0);  // else a leftover, removed at the next open
  forget_trust(folder_fd, object);
}

}  // namespace satchel::store
