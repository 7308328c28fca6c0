// The upper on disk: rows in a metadata database and bytes in files beside it.
#pragma once

#include <fcntl.h>
#include <sys/statvfs.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/log.h"
#include "base/random.h"
#include "base/unique_fd.h"
#include "fs/block_map.h"
#include "fs/spill_file.h"
#include "fs/upper_rows.h"
#include "store/metadata_db.h"

namespace satchel::fs {

/// What the rows are a change of.
struct UpperBase {
  store::RootId root;
  store::VersionNumber version = 0;
  store::RootId image_root;
  friend bool operator==(const UpperBase&, const UpperBase&) = default;
};

/// A changed name as it stands in a directory.
struct NamedDentry {
  std::string name;
  Dentry dentry;
};
struct PositionedName {
  std::uint64_t position = 0;
  std::string name;
};

/// Keeps the rows of one workspace: `meta/` (RocksDB) and `upper/ab/<id>` (bytes of changed files).
/// It knows what a row says, not what it means: see View and Change.
///
/// Families: `dentries` parent ‖ name → Dentry · `positions` parent ‖ position → name · `inodes`
/// id → InodeRow · `places` base path → the directory that is merged with it now · `state` ·
/// `blocks` id → what a block copy shows, id ‖ region → which of its blocks it owns.
///
/// After an unclean stop open() trusts the files in upper/ before the rows: size, and mtime where
/// the file changed after its row, come from the file; files without a row are removed; a row whose
/// file did not survive a power cut gets an empty one. Rows of scratch files are left as they are:
/// View::empty_scratch() takes them away.
///
/// Thread-safe. One process at a time (EBUSY/kStoreInUse). Errors of all: ENOSPC/kNoSpace, EROFS,
/// EIO, EUCLEAN.
class Upper {
 public:
  /// `directory` (which must exist) gets meta/ and upper/. `initial` counts when it is new.
  static Result<std::unique_ptr<Upper>> open(const HostPath& directory, const UpperBase& initial,
                                             const Log& log);
  /// The same with a base that is looked for only if it is needed.
  using FindBase = std::function<Result<UpperBase>()>;
  static Result<std::unique_ptr<Upper>> open(const HostPath& directory, const FindBase& initial,
                                             const Log& log);
  ~Upper();
  Upper(const Upper&) = delete;
  Upper& operator=(const Upper&) = delete;

  [[nodiscard]] UpperBase base() const;
  [[nodiscard]] Generation generation() const { return generation_.load(); }
  /// Ends the current generation; the number of the one that ended. Errors: as write().
  Result<Generation> end_generation();

  Result<std::optional<InodeRow>> find_row(UpperId id) const;
  Result<std::optional<Dentry>> find_dentry(UpperId directory, std::string_view name) const;
  /// Up to `limit` names from `from` on, ascending.
  Result<std::vector<NamedDentry>> list_dentries(UpperId directory, std::string_view from,
                                                 std::size_t limit) const;
  /// Up to `limit` names that only the upper has, from `from` on, by position.
  Result<std::vector<PositionedName>> list_positions(UpperId directory, std::uint64_t from,
                                                     std::size_t limit) const;
  /// The directory row that is merged with the base directory at `base_path`.
  Result<std::optional<UpperId>> find_place(const RelativePath& base_path) const;

  /// A number for a row or a position; never given twice. Errors: as write().
  Result<std::uint64_t> next_number();

  static void put_row(store::MetadataBatch& batch, UpperId id, const InodeRow& row);
  static void remove_row(store::MetadataBatch& batch, UpperId id);
  static void put_dentry(store::MetadataBatch& batch, UpperId directory, std::string_view name,
                         const Dentry& dentry);
  static void remove_dentry(store::MetadataBatch& batch, UpperId directory, std::string_view name);
  static void put_position(store::MetadataBatch& batch, UpperId directory, std::uint64_t position,
                           std::string_view name);
  static void remove_position(store::MetadataBatch& batch, UpperId directory,
                              std::uint64_t position);
  static void put_place(store::MetadataBatch& batch, const RelativePath& base_path, UpperId id);
  static void remove_place(store::MetadataBatch& batch, const RelativePath& base_path);
  static void put_base(store::MetadataBatch& batch, const UpperBase& base);
  /// To be called after a batch with put_base() was written.
  void set_base(const UpperBase& base);

  Result<void> write(const store::MetadataBatch& batch,
                     store::Durability durability = store::Durability::kProcessCrash,
                     store::SpaceUse use = store::SpaceUse::kAll);
  Result<void> sync();
  /// Rows that were written come to the medium before what is done to files from now on, as far as
  /// the filesystem keeps an order: bytes that a row has given up may go then. Waits as sync()
  /// does, if there are such rows, but for no flush.
  Result<void> order_rows();

  /// A folder in memory for bytes that are to go with the process. To be called before the first
  /// create_bytes(); without it they are in upper/ like others.
  void use_scratch(UniqueFd folder, Random& random);
  enum class Place : std::uint8_t { kUpper, kScratch };
  /// An empty file for the bytes of `id`, open for `access`. An older one is replaced.
  Result<UniqueFd> create_bytes(UpperId id, Place place = Place::kUpper, int access = O_RDWR);
  /// The bytes of `id` are in the scratch folder.
  [[nodiscard]] bool is_scratch(UpperId id) const;
  /// Moves the bytes of `id`, open as `fd`, from the scratch folder to the disk, where nobody else
  /// can read them; the file in the folder is empty then. Nobody uses them meanwhile. Errors:
  /// those of SpillFile; then all is as it was.
  Result<std::shared_ptr<SpillFile>> spill(UpperId id, int fd);
  /// Where they are then; null: they are in the folder, or no scratch file's.
  [[nodiscard]] std::shared_ptr<SpillFile> find_spill(UpperId id) const;
  /// Copies the bytes of `id` to upper/; durable on return. What is open for the old file stays
  /// with it, and it stays scratch until forget_scratch(). Nobody writes to it meanwhile.
  Result<UniqueFd> keep_bytes(UpperId id);
  /// The bytes that were kept are the ones that count.
  void forget_scratch(UpperId id);
  /// Errors: ENOENT (never created, or removed).
  Result<UniqueFd> open_bytes(UpperId id, int flags) const;
  Result<void> remove_bytes(UpperId id);
  /// Of bytes that are open as `fd`.
  static Result<std::uint64_t> size_of(int fd);
  /// Somebody has the bytes of `id` open or mapped for writing, or that cannot be told.
  [[nodiscard]] bool has_writers(UpperId id) const { return find_writers(id) != Writers::kNone; }
  /// The same of bytes that are open as `fd`, for reading alone.
  [[nodiscard]] static bool has_writers(int fd) { return find_writers(fd) != Writers::kNone; }
  /// Files that open() found somebody writing to, through an earlier mount; once.
  [[nodiscard]] std::vector<UpperId> take_written() { return std::exchange(written_, {}); }
  /// The folder that holds the bytes of `id` (borrowed), and their name in it.
  [[nodiscard]] int bytes_folder(UpperId id) const;
  [[nodiscard]] static std::string bytes_name(UpperId id);
  /// The names of bytes_folder(id) are on the medium.
  Result<void> sync_bytes_folder(UpperId id) const;

  /// The file of `id`, which has no byte yet, shows a content by `map`: with the row, and once that
  /// is written.
  static void put_block_map(store::MetadataBatch& batch, UpperId id, const BlockMap& map);
  void add_block_map(UpperId id, std::shared_ptr<BlockMap> map);
  /// Null: its bytes are all its own.
  [[nodiscard]] std::shared_ptr<BlockMap> find_block_map(UpperId id) const;
  /// The bytes of the blocks first…last are in the file of `id`. As write(): until they are on the
  /// medium, a power cut brings back what they showed.
  Result<void> own_blocks(UpperId id, BlockMap& map, std::uint64_t first, std::uint64_t last);
  /// Where blocks of [offset, end) are not its own, the file `fd` has no bytes, whatever was put
  /// there: so what it shows needs no copy where that is a hole.
  static Result<void> clear_shown(int fd, const BlockMap& map, std::uint64_t offset,
                                  std::uint64_t end);
  /// The file is on the medium with a size of at most `offset`. Durable on return.
  Result<void> hide_from(UpperId id, BlockMap& map, std::uint64_t offset);
  /// All bytes of the file are its own, and on the medium. Durable on return.
  Result<void> end_block_map(UpperId id);

  /// Begins to bring the bytes of `id` to the medium: rows that are made durable later wait for
  /// them, for they refer to nothing else any more (docs/decisions/0019). Failing costs no more
  /// than that. Fault point: upper.writeback.
  void start_writeback(UpperId id);
  /// All bytes of all files.
  Result<void> sync_filesystem() const;

  /// The filesystem that holds the upper.
  Result<struct statvfs> filesystem() const;
  /// All rows are true: the next open() need not look at the files.
  Result<void> mark_clean();

 private:
  static constexpr std::size_t kFolders = 256;
  enum : store::Family {
    kDentries,
    kPositions,
    kInodes,
    kPlaces,
    kState,
    kBlocks
  };  // order of open()
  Upper(store::MetadataDb db, UniqueFd files, const Log& log);
  void await_writeback();
  Result<void> load_state(const FindBase& initial);
  Result<void> open_folders();
  Result<void> recover();
  Result<std::uint64_t> remove_orphans(std::size_t folder);
  Result<std::uint64_t> repair_rows();
  Result<bool> repair_row(UpperId id, InodeRow& row);
  enum class Writers : std::uint8_t { kNone, kSome, kUnknown };
  [[nodiscard]] Writers find_writers(UpperId id) const;
  static Writers find_writers(int fd);
  Result<void> load_block_maps();
  Result<void> repair_block_maps();
  Result<void> repair_block_map(UpperId id, BlockMap& map);

  store::MetadataDb db_;
  UniqueFd files_;
  std::vector<UniqueFd> folders_;
  UniqueFd scratch_;
  /// Which bytes are scratch; null: in the folder.
  Guarded<std::unordered_map<UpperId, std::shared_ptr<SpillFile>>, std::shared_mutex>
      scratch_files_;
  std::unique_ptr<SectorCipher> cipher_;
  std::vector<UpperId> written_;
  Guarded<std::deque<UpperId>> in_writeback_;
  std::mutex awaiting_;
  std::atomic<std::uint64_t> writes_ = 0, ordered_writes_ = 0;
  Guarded<std::unordered_map<UpperId, std::shared_ptr<BlockMap>>, std::shared_mutex> block_maps_;
  std::atomic<std::size_t> block_maps_count_ = 0;  ///< most often none: nobody need look
  const Log* log_;
  mutable std::mutex mutex_;  // base_, next_number_, reserved_
  UpperBase base_;
  std::uint64_t next_number_ = 0;
  std::uint64_t reserved_ = 0;
  std::atomic<Generation> generation_ = 1;
};

}  // namespace satchel::fs
