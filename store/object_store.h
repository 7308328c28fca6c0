// Whole contents on this device, verified and read-only; and contents still arriving.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/path.h"
#include "base/unique_fd.h"
#include "store/content_reader.h"

namespace satchel::store {

/// What a new object has survived when the call returns. Its bytes are on the medium before its
/// name appears in any case, so an object is never there without them.
enum class ObjectDurability : std::uint8_t {
  kRefetchable,  ///< a power cut may lose its name: the repository has the content
  kDurable,      ///< nothing is lost: this may be the only copy
};

/// `objects/ab/<digest>.<size>` are whole, verified when made and never changed: safe for many
/// processes and users. `parts/` holds sparse files and which of their leaves are there; a part
/// becomes an object when its last leaf arrives. An object is trusted when it is opened if its
/// size, times and inode are as recorded when it was verified (store/object_trust.h), else it is
/// hashed again; a bad one is removed and counts as absent.
///
/// Thread-safe, and safe against other processes on the same directory. Which objects may go when
/// space is short is not known here.
class ObjectStore {
 public:
  /// `directory`, which exists, gets objects/ and parts/; leftovers of dead processes in parts/ are
  /// removed. Errors: ENOENT, EACCES, EROFS (kReadOnly), ENOSPC (kNoSpace).
  static Result<ObjectStore> open(const HostPath& directory);
  ObjectStore(ObjectStore&&) noexcept;
  ObjectStore& operator=(ObjectStore&&) noexcept;
  ~ObjectStore();

  /// The object's bytes, open read-only; nullopt if it is not here whole. Errors: EACCES, EIO
  /// (kIo).
  Result<std::optional<UniqueFd>> open_object(const ContentId& id);
  /// Makes an object of a file that the caller has hashed and nobody writes any more: takes the
  /// file over by rename, or, from another filesystem, copies it, checks the copy and removes the
  /// file. Errors: EINVAL (not a regular file of that size), EBADMSG (kCorrupted, of a copy),
  /// ENOSPC, EIO.
  Result<void> adopt(const ContentId& id, int directory_fd, const char* name,
                     ObjectDurability durability = ObjectDurability::kDurable);
  /// Errors: EBADMSG (kCorrupted: `bytes` are not that content), ENOSPC (kNoSpace), EIO (kIo).
  Result<void> put(const ContentId& id, Bytes bytes,
                   ObjectDurability durability = ObjectDurability::kDurable);

  /// A content on its way. All handles in this process share one; another process that wants the
  /// same content at the same time has a part of its own. Errors: EFBIG, ENOSPC, EROFS, EIO.
  class Part;
  Result<std::shared_ptr<Part>> open_part(const ContentId& id);

  /// Bytes in objects/ and parts/ (allocated), for `status`. Looks at every file.
  [[nodiscard]] Result<std::uint64_t> bytes_on_disk() const;

 private:
  struct State;
  explicit ObjectStore(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with the parts, which may outlive this
};

/// Shared by all handles of one content. What has arrived stays when the last handle goes, and is
/// there again after a restart: a leaf is recorded only after its verified bytes are on the medium,
/// so a crash loses records but never makes up one. Thread-safe.
class ObjectStore::Part {
 public:
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  /// Makes leaves [first, last] present, fetching missing ones; then they can be read from fd() at
  /// their offset. The content becomes an object with its last leaf. Errors: EINVAL (no such leaf),
  /// EBADMSG (kCorrupted: leaves of an earlier run had rotted; asking again fetches them), those of
  /// ContentReader, ENOSPC (kNoSpace), EIO (kIo).
  Result<void> require(ContentReader& reader, std::uint64_t first, std::uint64_t last);
  /// Leaves [first, last] are present: they can be read without the repository.
  [[nodiscard]] bool has(std::uint64_t first, std::uint64_t last) const;
  [[nodiscard]] int fd() const;
  /// It has become an object.
  [[nodiscard]] bool is_whole() const;

 private:
  friend class ObjectStore;
  struct State;
  explicit Part(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satchel::store
