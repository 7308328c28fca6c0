#include "store/metadata_cache.h"

namespace satchel::store {

Result<std::optional<std::string>> DatabaseMetadataCache::find(const EntryKey& key) {
  return database_.get(family_, to_key_bytes(key));
}

Result<void> DatabaseMetadataCache::keep(const EntryKey& key, Bytes raw) {
  MetadataBatch batch;
  batch.put(family_, to_key_bytes(key), as_text(raw));
  return database_.write(batch);
}

}  // namespace satchel::store
