// Raw metadata entries in a database of this device.
#pragma once

#include "store/metadata_db.h"
#include "store/repository_tree_store.h"

namespace satchel::store {

/// One family of a MetadataDb, keyed by type ‖ id. Nothing is removed: metadata is small beside
/// what it names. Borrows the database. Thread-safe.
class DatabaseMetadataCache final : public MetadataCache {
 public:
  DatabaseMetadataCache(MetadataDb& database, Family family)
      : database_(database), family_(family) {}
  Result<std::optional<std::string>> find(const EntryKey& key) override;
  Result<void> keep(const EntryKey& key, Bytes raw) override;

 private:
  MetadataDb& database_;
  Family family_;
};

}  // namespace satchel::store
