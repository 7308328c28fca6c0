// One workspace's (or image's) place in a device's store, held by one process.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "base/path.h"
#include "base/unique_fd.h"
#include "store/metadata_db.h"
#include "store/object_store.h"
#include "store/refs.h"
#include "store/repository_tree_store.h"

namespace satchel::fs {

/// What is opened: a workspace `ada`, or an image `lab@3`, which has no upper and may be mounted
/// many times.
class StoreSlot {
 public:
  static StoreSlot workspace(const store::RefName& user);
  static StoreSlot image(const store::RefName& image, store::VersionNumber number);

  /// Its folder below ws/: "ada", "@lab@3". Also what the mount is called after "satchel:".
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] bool is_image() const { return is_image_; }

 private:
  StoreSlot(std::string folder, bool is_image) : folder_(std::move(folder)), is_image_(is_image) {}
  std::string folder_;
  bool is_image_;
};

/// Takes and holds a slot of a store:
/// ```
/// store/shared/{objects,parts}/      image contents, of all slots
///       ws/<slot>/owner              which repository it belongs to
///                 lock               flock, with the holder's pid and its mount's device
///                 meta/ upper/       the upper's (fs/upper.h)
///                 cache/             RocksDB: metadata pages and contents of up to 16 KiB
///                 {objects,parts}/   this workspace's own contents
///                 index/             the repository's index
///                 control.sock satchel.log
/// ```
/// Directories are 0700. A slot stays with the repository that it was first opened for: another id
/// is kWrongRepository, so a repository made anew in the same place is never taken for one where
/// all was deleted. Thread-safe once open.
class ClientStore {
 public:
  /// Waits for the process that holds a workspace's slot, if that is ending. Errors:
  /// EBUSY/kStoreInUse (names the process), EUCLEAN/kWrongRepository, kNewerFormat, EACCES, EROFS,
  /// ENOSPC.
  static Result<std::unique_ptr<ClientStore>> open(const HostPath& root, const StoreSlot& slot,
                                                   const store::RepositoryId& repository);
  /// The folder where open() would put a slot's index: to open the repository, which tells the id,
  /// comes first. Makes the folder. Errors: EACCES, EROFS, ENOSPC.
  static Result<HostPath> prepare_index_directory(const HostPath& root, const StoreSlot& slot);
  ~ClientStore();
  ClientStore(const ClientStore&) = delete;
  ClientStore& operator=(const ClientStore&) = delete;

  /// Where the slot is mounted ("0:57"): whoever wants it waits for a process that outlives its
  /// mount.
  Result<void> note_mounted(std::string_view device);
  Result<void> note_unmounted();

  /// ws/<slot>, or ws/<slot>.1 … for an image whose slot is taken.
  [[nodiscard]] const HostPath& directory() const;
  [[nodiscard]] HostPath control_socket() const { return directory() / "control.sock"; }
  [[nodiscard]] HostPath log_file() const { return directory() / "satchel.log"; }
  [[nodiscard]] store::ObjectStore& shared_objects();
  /// Of an image mount the same as shared_objects().
  [[nodiscard]] store::ObjectStore& own_objects();
  [[nodiscard]] store::MetadataDb& cache();
  [[nodiscard]] store::Family small_contents() const;
  [[nodiscard]] store::MetadataCache& metadata_cache();

 private:
  struct State;
  explicit ClientStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satchel::fs
