#include "store/object_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/file_io.h"
#include "store/content_writer.h"
#include "store/directory_names.h"
#include "store/format_error.h"
#include "store/object_store_state.h"
#include "store/object_trust.h"
#include "store/sparse_file.h"

namespace satchel::store {
namespace {

constexpr std::uint64_t kBlockBytes = 512;  // of st_blocks
constexpr int kFolderDepth = 2;             // objects/ab

/// A copy of the first `size` bytes, and what they are.
Result<ContentId> copy_file(int from, int to, std::uint64_t size) {
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) return file_error("", "cannot set the size");
  ContentHasher hasher;
  std::uint64_t position = 0;
  const SparseFileVisitor visitor{.data = [&](Bytes bytes) -> Result<void> {
                                    hasher.append(bytes);
                                    const std::uint64_t at = position;
                                    position += bytes.size();
                                    return pwrite_all(to, bytes, at);
                                  },
                                  .hole = [&](std::uint64_t bytes) -> Result<void> {
                                    hasher.append_zeros(bytes);
                                    position += bytes;
                                    return {};
                                  }};
  SATCHEL_TRY(visit_sparse_file(from, size, visitor));
  return hasher.finish();
}

/// Allocated bytes of what is in a directory, and in those below it down to `depth`.
Result<std::uint64_t> allocated_bytes(int directory_fd, int depth) {
  std::uint64_t bytes = 0;
  SATCHEL_ASSIGN(const std::vector<std::string> names, list_directory_names(directory_fd));
  for (const std::string& name : names) {
    struct stat status {};
    if (::fstatat(directory_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    bytes += static_cast<std::uint64_t>(status.st_blocks) * kBlockBytes;
    if (!S_ISDIR(status.st_mode) || depth == 0) continue;
    const UniqueFd below(
        ::openat(directory_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below.valid()) return file_error(name, "cannot open the directory");
    SATCHEL_ASSIGN(const std::uint64_t more, allocated_bytes(below.get(), depth - 1));
    bytes += more;
  }
  return bytes;
}

}  // namespace

ObjectStore::ObjectStore(std::shared_ptr<State> state) : state_(std::move(state)) {}
ObjectStore::ObjectStore(ObjectStore&&) noexcept = default;
ObjectStore& ObjectStore::operator=(ObjectStore&&) noexcept = default;
ObjectStore::~ObjectStore() = default;

Result<ObjectStore> ObjectStore::open(const HostPath& directory) {
  SATCHEL_ASSIGN(ObjectFolders folders, ObjectFolders::open(directory));
  return ObjectStore(std::make_shared<State>(std::move(folders)));
}

Result<std::optional<UniqueFd>> ObjectStore::open_object(const ContentId& id) {
  SATCHEL_ASSIGN(const auto folder, state_->folders.find_folder(id));
  if (!folder) return std::optional<UniqueFd>();
  const std::string name = ObjectFolders::object_name(id);
  UniqueFd fd(::openat(folder->get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return std::optional<UniqueFd>();
  if (!fd.valid()) return file_error(name, "cannot open the object");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_error(name, "cannot look at the object");
  if (is_trusted(folder->get(), name, status)) return std::optional(std::move(fd));

  // What is recorded is the status before hashing: a change meanwhile makes the next open hash
  // again.
  const auto size = static_cast<std::uint64_t>(status.st_size);
  bool is_good = S_ISREG(status.st_mode) && size == id.size;
  if (is_good) {
    const auto found = hash_file(fd.get(), size);
    if (!found && found.error().sat != Sat::kBusyFile) return found.error();
    is_good = found && *found == id;
  }
  if (!is_good) {
    state_->folders.remove_bad(id, status.st_ino);
    return std::optional<UniqueFd>();
  }
  record_trust(folder->get(), name, status);
  return std::optional(std::move(fd));
}

Result<void> ObjectStore::adopt(const ContentId& id, int directory_fd, const char* name,
                                ObjectDurability durability) {
  const UniqueFd fd(::openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return file_error(name, "cannot open the file");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_error(name, "cannot look at the file");
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != id.size) {
    return Error{.code = EINVAL, .message = "is not a file of the content's size", .path = name};
  }
  auto moved = state_->folders.publish(id, fd.get(), directory_fd, name, durability);
  if (moved || moved.error().code != EXDEV) return moved;

  SATCHEL_ASSIGN(const ObjectFolders::PartFile copy, state_->folders.create_temporary());
  SATCHEL_ASSIGN(const ContentId copied, copy_file(fd.get(), copy.fd.get(), id.size));
  if (copied != id) return corrupted("a copied file does not match its content id");
  SATCHEL_TRY(state_->folders.publish(id, copy.fd.get(), state_->folders.parts_fd(), copy.name,
                                      durability));
  if (::unlinkat(directory_fd, name, 0) != 0) return file_error(name, "cannot remove the file");
  return {};
}

Result<void> ObjectStore::put(const ContentId& id, Bytes bytes, ObjectDurability durability) {
  if (content_id_of(bytes) != id) return corrupted("bytes do not match their content id");
  SATCHEL_ASSIGN(const ObjectFolders::PartFile file, state_->folders.create_temporary());
  SATCHEL_TRY(pwrite_all(file.fd.get(), bytes, 0));
  return state_->folders.publish(id, file.fd.get(), state_->folders.parts_fd(), file.name,
                                 durability);
}

Result<std::uint64_t> ObjectStore::bytes_on_disk() const {
  return allocated_bytes(state_->folders.root_fd(), kFolderDepth);
}

}  // namespace satchel::store
