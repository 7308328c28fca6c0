// Which node id a file has, kept on disk: an exported mount finds its nodes again after the kernel
// forgot them and after a restart.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "fs/upper_rows.h"
#include "fs/view.h"
#include "store/metadata_db.h"

namespace satchel::fs {

/// Gives out node ids by file id and remembers where each file stood last. It is a hint: whoever
/// follows it checks that the file that stands there is still the one.
///
/// A file keeps its id for as long as it exists; an id is never given to two files, power cuts
/// included. That does not depend on the disk: an id whose record could not be written is logged,
/// and is ESTALE once the kernel has forgotten it. Thread-safe.
class NodeIndex {
 public:
  struct Place {
    NodeId parent{};
    std::string name;
    store::FileId file_id;
    UpperId upper = 0;  ///< its row, if it had one
  };

  /// Makes `directory`. Errors: those of MetadataDb::open(), EUCLEAN.
  static Result<std::unique_ptr<NodeIndex>> open(const HostPath& directory, const Log& log);

  /// The id that `file_id` has, if any.
  [[nodiscard]] std::optional<NodeId> find_id(const store::FileId& file_id) const;
  /// A new id for `file_id`, which it has from now on.
  NodeId give_id(const store::FileId& file_id);
  /// The file that has `id` was `before` and is `file_id` from now on, which keeps an id of its
  /// own.
  void keep_id(NodeId id, const store::FileId& before, const store::FileId& file_id);
  /// Errors: EIO, EUCLEAN.
  Result<std::optional<Place>> find_place(NodeId id) const;
  void put_place(NodeId id, const Place& place);
  /// The file is gone: nobody finds it by its id any more.
  void remove(NodeId id, const store::FileId& file_id);

 private:
  enum : store::Family { kPlaces, kIds, kState };  // order of open()
  NodeIndex(store::MetadataDb db, std::uint64_t next, const Log& log);
  Result<void> reserve(std::uint64_t end);
  void write(const store::MetadataBatch& batch);

  store::MetadataDb db_;
  const Log* log_;
  mutable std::mutex mutex_;  // the rest
  std::uint64_t next_;
  std::uint64_t reserved_;
};

}  // namespace satchel::fs
