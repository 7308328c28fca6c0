// Which pack holds which entry: one opener's cache of the indexes of all packs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <vector>

#include "base/guarded.h"
#include "base/log.h"
#include "store/metadata_db.h"
#include "store/pack.h"

namespace satchel::store {

/// Where an entry stands.
struct EntryLocation {
  PackId pack{};
  std::uint32_t ordinal = 0;  ///< its place in the pack's index
  PackIndexItem item{};
  friend bool operator==(const EntryLocation&, const EntryLocation&) = default;
};

/// A RocksDB that can always be made anew from the packs, so nothing in it is trusted to be there
/// and damage to it is no error of the repository. Entries that several packs hold are known in one
/// of them.
///
/// Thread-safe. Lookups run at once; reset() waits for them.
class PackIndex {
 public:
  struct Options {
    HostPath directory;            ///< empty: a private one
    HostPath temporary_directory;  ///< where private ones are made
  };
  /// Opens the index in `directory`. One that is damaged is emptied; if another process has it, or
  /// it cannot be used there, a private one takes its place and is removed at the end. Errors:
  /// those of making a private one.
  static Result<std::unique_ptr<PackIndex>> open(const Options& options, const Log& log);
  ~PackIndex();
  PackIndex(const PackIndex&) = delete;
  PackIndex& operator=(const PackIndex&) = delete;

  [[nodiscard]] Result<std::optional<EntryLocation>> find(const EntryKey& key) const;
  /// The packs whose entries are known.
  [[nodiscard]] std::set<PackId> packs() const;
  /// `items` are all entries of the pack, as its index has them.
  Result<void> add(const PackId& pack, const std::vector<PackIndexItem>& items);
  /// Empty, as a new one; also out of a damaged one.
  Result<void> reset();

 private:
  struct Database {
    std::optional<MetadataDb> db;  ///< empty only while reset() runs
    std::set<PackId> packs;
  };
  PackIndex(HostPath directory, bool is_private)
      : directory_(std::move(directory)), is_private_(is_private) {}
  Result<void> open_database(Database& database) const;

  HostPath directory_;
  bool is_private_;
  Guarded<Database, std::shared_mutex> database_;
};

}  // namespace satchel::store
