// Whole contents on this device, verified and read-only; and contents still arriving.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/unique_fd.h"
#include "store/content_reader.h"

namespace satchel::store {

/// `objects/ab/<digest>.<size>` are whole, verified when made and never changed: safe for many processes and users. `parts/` are sparse files with a
/// list of the leaves that are there; a part becomes an object when its last leaf arrives. At open an object is trusted if size, mtime, ctime and inode
/// are as recorded when it was made (in its own user.satchel-less side record, see .cpp), else hashed again; a bad one is removed and counts as absent.
///
/// Thread-safe, and safe against other processes on the same directory.
class ObjectStore {
 public:
  /// `directory` gets objects/ and parts/. Errors: EACCES, EROFS, ENOSPC.
  static Result<ObjectStore> open(const HostPath& directory);
  ObjectStore(ObjectStore&&) noexcept;
  ~ObjectStore();

  /// The object's bytes, open read-only; nullopt if it is not here whole.
  Result<std::optional<UniqueFd>> open_object(const ContentId& id);
  /// Makes an object of a file that the caller has hashed: takes the file over by rename (same filesystem) or copies. Durable on return if `durable`.
  Result<void> adopt(const ContentId& id, int directory_fd, const char* name);
  Result<void> put(const ContentId& id, Bytes bytes);

  /// A content on its way: reads what is here, fetches the rest by `reader`.
  class Part;
  Result<std::shared_ptr<Part>> open_part(const ContentId& id);

  /// Bytes in objects/ and parts/ (allocated), for `status`.
  Result<std::uint64_t> bytes_on_disk() const;

 private:
  struct State;
  explicit ObjectStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Shared by all handles of one content. Thread-safe.
class ObjectStore::Part {
 public:
  ~Part();
  /// Makes leaves [first, last] present, fetching missing ones; then they can be read from fd() at their offset.
  Result<void> require(ContentReader& reader, std::uint64_t first, std::uint64_t last);
  [[nodiscard]] int fd() const;
  [[nodiscard]] bool is_whole() const;

 private:
  friend class ObjectStore;
  struct State;
  explicit Part(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satchel::store
