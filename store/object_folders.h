// The folders of an object store: names in them, files being written, and how one becomes an
// object.
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "store/object_store.h"

namespace satchel::store {

/// Thread-safe.
class ObjectFolders {
 public:
  /// Makes what is missing; removes files of dead processes from parts/.
  static Result<ObjectFolders> open(const HostPath& directory);

  /// "<digest>.<size>"
  static std::string object_name(const ContentId& id);
  /// The folder objects/ab of `id`, or nullopt if there is none yet.
  Result<std::optional<UniqueFd>> find_folder(const ContentId& id) const;
  [[nodiscard]] int root_fd() const { return root_.get(); }
  [[nodiscard]] int parts_fd() const { return parts_.get(); }

  /// A file in parts/ that this process alone writes, by flock(2).
  struct PartFile {
    std::string name;
    UniqueFd fd;  ///< read-write
  };
  /// A new one that is removed by the next open() of the store once this process has closed it.
  Result<PartFile> create_temporary() const;
  /// The one called `name`, made if it is missing; nullopt if another process holds it.
  [[nodiscard]] Result<std::optional<PartFile>> try_lock(const std::string& name) const;

  /// Fsyncs the open file `name` in `directory_fd`, makes it read-only and moves it to its place.
  /// Errors: EXDEV (another filesystem), ENOSPC, EIO.
  Result<void> publish(const ContentId& id, int fd, int directory_fd, const std::string& name,
                       ObjectDurability durability) const;
  /// Removes the object with that inode, whose bytes are not `id`.
  void remove_bad(const ContentId& id, ino_t inode) const;

 private:
  ObjectFolders(UniqueFd root, UniqueFd parts) : root_(std::move(root)), parts_(std::move(parts)) {}
  void remove_leftovers() const;
  UniqueFd root_;
  UniqueFd parts_;
};

}  // namespace satchel::store
