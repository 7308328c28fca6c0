// The pack files of a repository: listing, opening, publishing.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/unique_fd.h"
#include "store/lru_cache.h"
#include "store/repository_folder.h"

namespace satchel::store {

/// Knows names and places of packs, not what is in them. Errors are as the calls give them, with
/// the path; RepositoryFolder::explain() says what they mean. Thread-safe.
class PackFiles {
 public:
  static constexpr std::size_t kOpenFilesMax = 64;
  explicit PackFiles(const RepositoryFolder& folder);

  [[nodiscard]] HostPath path_of(const PackId& id) const;
  /// Ascending; fossils and what is no pack are left out. One listing of packs/ and of each folder
  /// in it.
  Result<std::vector<PackId>> list() const;
  /// Errors: ENOENT.
  Result<UniqueFd> open(const PackId& id) const;
  /// As open(), but kept open for the next time, up to kOpenFilesMax.
  Result<std::shared_ptr<const UniqueFd>> open_shared(const PackId& id);
  /// Closes what is kept open, so that what the repository is on can be unmounted or found anew.
  void close_shared();

  /// A new file in packs/tmp, open for reading and writing.
  Result<UniqueFd> start(const std::string& temporary_name) const;
  void discard(const std::string& temporary_name) const;
  /// Gives a finished, synced file its name, durably. Fault point: pack.rename.
  Result<void> publish(const std::string& temporary_name, const PackId& id);

 private:
  const RepositoryFolder& folder_;
  Guarded<LruCache<PackId, std::shared_ptr<const UniqueFd>>> open_;
  /// Folders of packs/ that are known to survive a power cut.
  Guarded<std::set<std::string>> durable_folders_;
};

}  // namespace satchel::store
