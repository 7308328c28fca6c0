// What a Repository consists of; shared by the two files that implement it.
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "store/pack_files.h"
#include "store/ref_files.h"
#include "store/repository.h"
#include "store/repository_folder.h"

namespace satchel::store {

struct Repository::State {
  State(const HostPath& path, const RepositoryId& id, RepositoryOptions chosen,
        const Clock& its_clock, Random& randomness, Log its_log);

  std::string new_nonce();
  /// Probes at the first call that succeeds. Errors: those of probe_for_writing().
  Result<LinkSupport> prepare_for_writing();

  Result<EntryLocation> get_location(const EntryKey& key);
  Result<std::optional<EntryLocation>> locate(const EntryKey& key);
  /// Lists packs, unless another thread began to do so after refreshes_started was `seen`.
  Result<void> refresh_since(std::uint64_t seen);
  Result<void> rebuild_index();
  /// The entry's raw bytes, unverified. Errors: ENOENT if the pack has gone.
  Result<std::vector<std::byte>> read_entry(const EntryLocation& location);

  RepositoryFolder folder;
  PackFiles packs;
  RefFiles refs;
  RepositoryOptions options;
  const Clock& clock;
  Log log;
  /// Opens the index in a thread of its own: who reads what this device has already does without.
  void start_index();
  /// Waits until it is open. Errors: those of PackIndex::open().
  [[nodiscard]] Result<PackIndex*> index() const;
  std::atomic<std::uint64_t> bytes_read = 0;
  std::atomic<std::uint64_t> content_bytes_read = 0;

  struct Refreshing {
    std::uint64_t last_done = 0;
    std::set<PackId> unreadable;  ///< not tried again, so that they are reported once
  };
  Result<void> look_for_packs(Refreshing& state);
  bool is_any_gone(const std::set<PackId>& known, const std::vector<PackId>& listed) const;
  Result<void> index_pack(const PackId& id, Refreshing& state) const;

  Guarded<Random*> random;
  Guarded<std::optional<LinkSupport>> links;  ///< what the probe found, once it has run
  std::atomic<std::uint64_t> refreshes_started = 0;
  Guarded<Refreshing> refreshing;  ///< held while packs are listed and read
  using OpenedIndex = std::shared_ptr<const Result<std::unique_ptr<PackIndex>>>;
  std::shared_future<OpenedIndex> opened_index;  ///< last: its thread uses the rest
};

}  // namespace satchel::store
