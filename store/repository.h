// A repository: packs and refs in any POSIX directory. docs/format.md, section 6.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/pack.h"
#include "store/pack_index.h"
#include "store/refs.h"

namespace satchel::store {

struct RepositoryOptions {
  /// Where this opener keeps its index of the packs (a RocksDB, kept under the repository id). If
  /// another process holds it, or the path is empty, a private one is made in `temporary_directory`
  /// and removed at the end.
  HostPath index_directory{};
  HostPath temporary_directory{"/tmp"};
  std::string device = "unknown";  ///< written to records
};

/// What the filesystem below can do.
struct RepositoryFeatures {
  bool has_link = true;  ///< else commits go through a lock file: one writer at a time; known from
                         ///< the first write on
  bool is_writable =
      true;  ///< as permissions and mount options say, until the first write tries it
};

/// Knows where each pack entry is (the index), reads and verifies entries, lists and commits refs.
/// An opener that only reads writes nothing. The first write probes the filesystem (link, rename,
/// fsync, O_EXCL) and removes what writers who died left more than a day ago.
///
/// Trusts nothing it reads: an entry's bytes are checked against its id before they are returned,
/// so a bad sector is EBADMSG/kCorrupted, never wrong content. The index is a cache: a miss looks
/// for new packs before it is an answer, and a pack that has gone is dropped from it. A repository
/// whose directory went away answers ENETUNREACH/kOffline.
///
/// Thread-safe. Other processes and hosts may write the same repository at the same time.
class Repository {
 public:
  /// Makes a new one in `path` (created if missing, must be empty). Errors: EEXIST/kAlreadyExists,
  /// EROFS, ENOSPC, kMissingFeature.
  static Result<Repository> create(const HostPath& path, const RepositoryOptions& options,
                                   const Clock& clock, Random& random, const Log& log);
  /// The index is opened meanwhile: its errors come with the first entry that is looked up or
  /// added. Errors: ENOENT/kNotARepository, kNewerFormat, EACCES, EIO.
  static Result<Repository> open(const HostPath& path, const RepositoryOptions& options,
                                 const Clock& clock, Random& random, const Log& log);
  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository();

  [[nodiscard]] const RepositoryId& id() const;
  [[nodiscard]] const HostPath& path() const;
  [[nodiscard]] RepositoryFeatures features() const;

  /// What a failed call on one of its files means: kOffline if the repository is away, kNoSpace and
  /// kReadOnly with its path and a hint.
  [[nodiscard]] Error explain(Error error) const;

  /// Names a chunk. The only function that does.
  [[nodiscard]] ChunkId name_chunk(Bytes bytes) const;

  Result<bool> has(const EntryKey& key);
  /// Which of `keys` are here, in the order asked; one look for new packs for all of them together.
  Result<std::vector<bool>> has_many(const std::vector<EntryKey>& keys);
  /// The entry's verified bytes. A recipe's are checked only for form (docs/format.md, section 5).
  /// Errors: ENOENT/kMissingContent, EBADMSG/kCorrupted (naming the pack), ENETUNREACH/kOffline,
  /// EIO.
  Result<std::vector<std::byte>> get(const EntryKey& key);
  /// `raw` is what `key` names. Errors: EBADMSG/kCorrupted.
  [[nodiscard]] Result<void> verify(const EntryKey& key, Bytes raw) const;

  /// Bytes read from packs since open.
  [[nodiscard]] std::uint64_t bytes_read() const;
  [[nodiscard]] std::uint64_t content_bytes_read() const;  ///< of that: chunks

  // Refs.
  Result<std::vector<RefName>> list_names(RefKind kind);
  Result<std::vector<VersionNumber>> list_versions(const RefName& name);
  /// The greatest number, probed upwards after listing; nullopt if the name has none.
  Result<std::optional<VersionNumber>> head(const RefName& name);
  /// Errors: ENOENT/kNotFound, EBADMSG, kNewerFormat, EUCLEAN (record of another repository, name
  /// or number).
  Result<RefRecord> read_ref(const RefName& name, VersionNumber number);
  Result<RecordHash> hash_ref(const RefName& name, VersionNumber number);
  /// Commits `record` as head+1 if the head is still `record.number − 1`; durable on return. Fills
  /// repository, name, nonce, time, device and parent. Every pack in `relied_on` is checked to be
  /// there before and after. Errors: EAGAIN/kLostRace, EUCLEAN (the versions before it are gone),
  /// ENOENT/kMissingContent (a pack is gone), EMSGSIZE/kLimit (message or device), ENOSPC,
  /// EROFS/kReadOnly, EIO.
  Result<RefRecord> commit(const RefName& name, RefRecord record,
                           const std::vector<PackId>& relied_on);

  // Packs.
  /// A new file in packs/tmp, open for reading and writing, and its name. Errors: EROFS/kReadOnly,
  /// ENOSPC, kMissingFeature.
  struct NewPack {
    UniqueFd fd;
    std::string temporary_name;
  };
  Result<NewPack> start_pack();
  /// Takes back a started pack.
  void discard_pack(const std::string& temporary_name);
  /// Gives a finished and synced file its name, durably, and indexes it.
  Result<void> publish_pack(const std::string& temporary_name, const PackId& id,
                            const std::vector<PackIndexItem>& items);
  Result<std::vector<PackId>> list_packs();
  Result<UniqueFd> open_pack(const PackId& id);
  [[nodiscard]] HostPath pack_path(const PackId& id) const;
  /// Looks for packs that others published and drops those that are gone.
  Result<void> refresh();
  /// Where `key` stands as far as the index knows: unlike has(), no look for new packs.
  Result<std::optional<EntryLocation>> locate(const EntryKey& key);
  /// Forgets the index and reads it anew from all packs. Packs that cannot be read are left out.
  Result<void> rebuild_index();

 private:
  struct State;
  explicit Repository(std::unique_ptr<State> state);
  Result<std::pair<RefRecord, RecordHash>> read_record(const RefName& name, VersionNumber number);
  [[nodiscard]] Result<void> check_packs(const std::vector<PackId>& packs) const;
  std::unique_ptr<State> state_;
};

}  // namespace satchel::store
