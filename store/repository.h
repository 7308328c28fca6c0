// A repository: packs and refs in any POSIX directory. docs/format.md, section 6.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/pack.h"
#include "store/refs.h"

namespace satchel::store {

struct RepositoryOptions {
  /// Where this opener keeps its index of the packs (a RocksDB, kept under the repository id). If another process holds it,
  /// or the path is empty, a private one under TMPDIR is made and removed at the end.
  HostPath index_directory;
  std::string device = "unknown";   ///< written to records
};

/// What probing the filesystem below found.
struct RepositoryFeatures {
  bool has_link = true;   ///< else commits go through a lock file: one writer at a time
  bool is_writable = true;
};

/// Knows where each pack entry is (the index), reads and verifies entries, lists and commits refs.
///
/// Trusts nothing it reads: an entry's bytes are checked against its id before they are returned, so a bad sector is EBADMSG/kCorrupted, never
/// wrong content. The index is a cache: a miss looks for new packs before it is an answer, and a pack that has gone is dropped from it.
/// A repository whose directory went away answers ENETUNREACH/kOffline.
///
/// Thread-safe. Other processes and hosts may write the same repository at the same time.
class Repository {
 public:
  /// Makes a new one in `path` (created if missing, must be empty). Errors: EEXIST/kAlreadyExists, EROFS, ENOSPC, kMissingFeature.
  static Result<Repository> create(const HostPath& path, const RepositoryOptions& options, const Clock& clock, Random& random, const Log& log);
  /// Errors: ENOENT/kNotARepository, kNewerFormat, EACCES, EIO.
  static Result<Repository> open(const HostPath& path, const RepositoryOptions& options, const Clock& clock, Random& random, const Log& log);
  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository();

  [[nodiscard]] const RepositoryId& id() const;
  [[nodiscard]] const HostPath& path() const;
  [[nodiscard]] const RepositoryFeatures& features() const;

  /// Names a chunk. The only function that does.
  [[nodiscard]] ChunkId name_chunk(Bytes bytes) const;

  Result<bool> has(const EntryKey& key);
  /// Which of `keys` are here, in the order asked; one look for new packs for all of them together.
  Result<std::vector<bool>> has_many(const std::vector<EntryKey>& keys);
  /// The entry's verified bytes. A recipe's are checked only for form (docs/format.md, section 5).
  /// Errors: ENOENT/kMissingContent, EBADMSG/kCorrupted (naming the pack), ENETUNREACH/kOffline, EIO.
  Result<std::vector<std::byte>> get(const EntryKey& key);

  /// Bytes read from packs since open.
  [[nodiscard]] std::uint64_t bytes_read() const;
  [[nodiscard]] std::uint64_t content_bytes_read() const;  ///< of that: chunks

  // Refs.
  Result<std::vector<RefName>> list_names(RefKind kind);
  Result<std::vector<VersionNumber>> list_versions(const RefName& name);
  /// The greatest number, probed upwards after listing; nullopt if the name has none.
  Result<std::optional<VersionNumber>> head(const RefName& name);
  /// Errors: ENOENT/kNotFound, EBADMSG, kNewerFormat, EUCLEAN (record of another repository, name or number).
  Result<RefRecord> read_ref(const RefName& name, VersionNumber number);
  Result<RecordHash> hash_ref(const RefName& name, VersionNumber number);
  /// Commits `record` as head+1 if the head is still `record.number − 1`; durable on return. Fills repository, nonce, time, device and parent.
  /// Every pack in `relied_on` is checked to be there before and after. Errors: EAGAIN/kLostRace, ENOSPC, EROFS, EIO.
  Result<RefRecord> commit(const RefName& name, RefRecord record, const std::vector<PackId>& relied_on);

  // Packs.
  /// Makes a finished pack file out of what `fill` writes; renames, fsyncs, indexes it.
  struct PackTarget;  ///< a file in packs/tmp; see pack_upload.h
  Result<UniqueFd> start_pack(std::string& temporary_name);
  Result<void> publish_pack(const std::string& temporary_name, const PackId& id, const std::vector<PackIndexItem>& items);
  Result<std::vector<PackId>> list_packs();
  Result<UniqueFd> open_pack(const PackId& id);
  /// Which pack holds `key`.
  Result<PackId> find_pack(const EntryKey& key);
  /// Forgets the index and reads it anew from all packs.
  Result<void> rebuild_index();

 private:
  struct State;
  explicit Repository(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satchel::store
