#include "store/metadata_db.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/file.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <system_error>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "base/unique_fd.h"
#include "store/directory_names.h"
#include "store/row_cache.h"
#include "store/space_reserve.h"

namespace satchel::store {
namespace {

constexpr int kOpenFilesMax = 64;
constexpr int kBackgroundJobsMax = 2;
constexpr std::size_t kInfoLogBytesMax = 1U << 20U;
constexpr std::size_t kInfoLogsMax = 2;
constexpr double kBloomBitsPerKey = 10;
/// Of the rows of one family that are still in memory: 8 bytes each.
constexpr std::size_t kGroupBuckets = 1U << 14U;
constexpr std::int32_t kGroupHeightMax = 12;  // of the skip list of one of them
constexpr std::ptrdiff_t kIdleLogsMax = 8;
constexpr std::size_t kOperationOverheadBytes = 16;  // in RocksDB's form of a batch
/// Held by flock(2) while open. RocksDB's own LOCK would do, but it says who lost only in prose.
constexpr const char* kOwnerFile = "OWNER";
constexpr const char* kReserveFile = "RESERVE";

rocksdb::Slice to_slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view to_view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

Error to_error(const rocksdb::Status& status, const HostPath& directory) {
  Error error{.code = EIO, .sat = Sat::kIo, .message = status.ToString(), .path = directory.text};
  if (status.IsNoSpace()) {
    error.code = ENOSPC;
    error.sat = Sat::kNoSpace;
  } else if (status.IsCorruption() || status.IsInvalidArgument()) {
    error.code = EUCLEAN;
    error.sat = Sat::kContradiction;
  }
  return error;
}

/// The first key after all that start with `prefix`; empty if there is none.
std::string end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xFF') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1U);
  return end;
}

rocksdb::DBOptions to_database_options(const MetadataDbOptions& options) {
  rocksdb::DBOptions database;
  database.create_if_missing = true;
  database.create_missing_column_families = true;
  // Stops at the first record that is torn or out of order: pages of the log that were not synced
  // may reach the disk in any order. What was synced stands before all of them.
  database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  database.db_write_buffer_size = options.write_buffer_bytes;
  database.max_total_wal_size = 4 * options.write_buffer_bytes;
  database.max_open_files = kOpenFilesMax;
  database.max_file_opening_threads = 1;
  database.max_background_jobs = kBackgroundJobsMax;
  database.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  database.max_log_file_size = kInfoLogBytesMax;
  database.keep_log_file_num = kInfoLogsMax;
  database.stats_dump_period_sec = 0;
  database.stats_persist_period_sec = 0;
  // Rows in memory that are found by a hash have one writer.
  database.allow_concurrent_memtable_write = options.grouped_families.empty();
  return database;
}

rocksdb::ColumnFamilyOptions to_family_options(const MetadataDbOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
  table.cache_index_and_filter_blocks = true;  // so that cache_bytes is all that is used
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = options.write_buffer_bytes;
  family.compression = rocksdb::CompressionType::kLZ4Compression;
  return family;
}

rocksdb::ColumnFamilyOptions grouped(rocksdb::ColumnFamilyOptions family) {
  family.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kGroupBytes));
  family.memtable_factory.reset(rocksdb::NewHashSkipListRepFactory(kGroupBuckets, kGroupHeightMax));
  return family;
}

/// Lets concurrent callers share one fsync of the log: a caller waits for the running one, and if
/// that began before its own writes were done, one of those waiting syncs for all of them.
class SharedSync {
 public:
  template <typename Sync>
  rocksdb::Status run(Sync sync) {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = ++last_ticket_;
    done_.wait(lock, [&] { return !running_ || synced_ >= ticket; });
    if (synced_ >= ticket) return rocksdb::Status::OK();
    running_ = true;
    const std::uint64_t covered = last_ticket_;
    lock.unlock();
    rocksdb::Status status = sync();
    lock.lock();
    running_ = false;
    if (status.ok()) synced_ = covered;
    done_.notify_all();
    return status;
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t synced_ = 0;
  bool running_ = false;
};

}  // namespace

struct MetadataBatch::Operations {
  enum class Kind : std::uint8_t { kPut, kRemove, kRemoveRange };
  struct Operation {
    Kind kind;
    Family family;
    std::string key;
    std::string value;  ///< of a range: its end
  };
  std::vector<Operation> list;
};

MetadataBatch::MetadataBatch() : operations_(std::make_unique<Operations>()) {}
MetadataBatch::~MetadataBatch() = default;
MetadataBatch::MetadataBatch(MetadataBatch&&) noexcept = default;
MetadataBatch& MetadataBatch::operator=(MetadataBatch&&) noexcept = default;

void MetadataBatch::put(Family family, std::string_view key, std::string_view value) {
  operations_->list.push_back(
      {Operations::Kind::kPut, family, std::string(key), std::string(value)});
}
void MetadataBatch::remove(Family family, std::string_view key) {
  operations_->list.push_back({Operations::Kind::kRemove, family, std::string(key), {}});
}
void MetadataBatch::remove_range(Family family, std::string_view begin, std::string_view end) {
  operations_->list.push_back(
      {Operations::Kind::kRemoveRange, family, std::string(begin), std::string(end)});
}
bool MetadataBatch::is_empty() const {
  return operations_->list.empty();
}
void MetadataBatch::clear() {
  operations_->list.clear();
}

struct MetadataDb::State {
  explicit State(const MetadataDbOptions& options) : rows(options.row_cache_bytes) {
    for (const Family family : options.row_cache_families) {
      if (family >= is_cached.size()) is_cached.resize(family + 1);
      is_cached[family] = options.row_cache_bytes > 0;
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (opening.valid()) opening.wait();
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      (void)database->DestroyColumnFamilyHandle(handle);  // frees memory; nothing that can fail
    }
    // Does not flush: what is in the log is read from there again.
    if (database != nullptr) (void)database->Close();
  }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const {
    SATCHEL_ASSERT(family < families);
    return handles[family];
  }
  rocksdb::Status open(const MetadataDbOptions& options);
  /// Waits for an open() in the background; its error.
  Result<void> require_open();
  void let_go_of_idle_logs() const;
  rocksdb::Status write(rocksdb::WriteBatch& writes, SpaceUse use);
  [[nodiscard]] bool keeps(Family family) const {
    return family < is_cached.size() && is_cached[family];
  }
  /// Its key in the cache; empty: it is none of those that are kept there.
  [[nodiscard]] std::string cache_key(Family family, std::string_view key) const;

  RowCache rows;
  std::vector<bool> is_cached;  ///< by family
  HostPath directory;
  UniqueFd owner;
  std::unique_ptr<rocksdb::DB> database;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;  ///< in the order asked for, then the rest
  std::size_t families = 0;
  SharedSync shared_sync;
  SpaceReserve reserve;
  std::future<rocksdb::Status> opening;
  std::once_flag has_waited;
  rocksdb::Status open_status;
};

rocksdb::Status MetadataDb::State::open(const MetadataDbOptions& options) {
  const rocksdb::DBOptions database_options = to_database_options(options);
  const rocksdb::ColumnFamilyOptions family_options = to_family_options(options);
  std::vector<std::string> names = options.families;
  families = names.size();
  names.push_back(rocksdb::kDefaultColumnFamilyName);
  // RocksDB wants every family that exists to be opened, also those that only an older program
  // used. Those of a new database are none, which it reports as an error.
  std::vector<std::string> existing;
  if (rocksdb::DB::ListColumnFamilies(database_options, directory.text, &existing).ok()) {
    for (const std::string& name : existing) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.reserve(names.size());
  for (const std::string& name : names) descriptors.emplace_back(name, family_options);
  for (const Family family : options.grouped_families) {
    descriptors[family].options = grouped(family_options);
  }
  reserve.make_room();
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status =
      rocksdb::DB::Open(database_options, directory.text, descriptors, &handles, &opened);
  database.reset(opened);
  if (!status.ok()) return status;
  let_go_of_idle_logs();
  (void)reserve.has_room();  // takes what there is of it
  return status;
}

// RocksDB takes no write at all after one that found no space, those that would make some included.
rocksdb::Status MetadataDb::State::write(rocksdb::WriteBatch& writes, SpaceUse use) {
  if (use == SpaceUse::kAll) {
    reserve.make_room();
  } else if (!reserve.has_room()) {
    return rocksdb::Status::NoSpace();
  }
  return database->Write(rocksdb::WriteOptions(), &writes);
}

std::string MetadataDb::State::cache_key(Family family, std::string_view key) const {
  std::string result;
  if (!keeps(family)) return result;
  result.reserve(key.size() + 1);
  result.push_back(static_cast<char>(family));
  result.append(key);
  return result;
}

Result<void> MetadataDb::State::require_open() {
  std::call_once(has_waited, [this] {
    if (opening.valid()) open_status = opening.get();
  });
  if (!open_status.ok()) return to_error(open_status, directory);
  return {};
}

/// Each open starts a log, and RocksDB removes old ones only at an open that finds something in
/// them. So a database that is merely read would gather empty ones for ever.
void MetadataDb::State::let_go_of_idle_logs() const {
  const auto names = list_directory_names(directory);  // GetSortedWalFiles() leaves empty ones out
  if (!names) return;
  const auto logs =
      std::ranges::count_if(*names, [](const auto& name) { return name.ends_with(".log"); });
  if (logs <= kIdleLogsMax) return;
  (void)database->Put(rocksdb::WriteOptions(), "opened", "");  // else there is one log more
}

MetadataDb::MetadataDb(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetadataDb::MetadataDb(MetadataDb&&) noexcept = default;
MetadataDb& MetadataDb::operator=(MetadataDb&&) noexcept = default;
MetadataDb::~MetadataDb() = default;

Result<MetadataDb> MetadataDb::open(const HostPath& directory, const MetadataDbOptions& options) {
  std::error_code made;
  std::filesystem::create_directories(directory.text, made);
  if (made) {
    errno = made.value();
    return file_error(directory.text, "cannot make the database's directory");
  }
  auto state = std::make_unique<State>(options);
  state->directory = directory;
  const HostPath owner = directory / kOwnerFile;
  state->owner = UniqueFd(::open(owner.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!state->owner.valid()) return file_error(directory.text, "cannot open the database");
  if (::flock(state->owner.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_error(directory.text, "cannot lock the database");
    return Error{.code = EBUSY,
                 .sat = Sat::kStoreInUse,
                 .message = "another process uses the database",
                 .path = directory.text};
  }
  if (options.reserve_bytes_max > 0) {
    SATCHEL_TRY(state->reserve.open(directory / kReserveFile, options.reserve_bytes_max));
  }
  if (options.opens_in_background) {
    state->opening =
        std::async(std::launch::async, [raw = state.get(), options] { return raw->open(options); });
  } else {
    state->open_status = state->open(options);
    SATCHEL_TRY(state->require_open());
  }
  return MetadataDb(std::move(state));
}

Result<std::optional<std::string>> MetadataDb::get(Family family, std::string_view key) const {
  SATCHEL_TRY(state_->require_open());
  const std::string cache_key = state_->cache_key(family, key);
  RowCache::Ticket ticket = 0;
  if (!cache_key.empty()) {
    if (auto known = state_->rows.find(cache_key, ticket)) return *std::move(known);
  }
  std::string value;
  const rocksdb::Status status =
      state_->database->Get(rocksdb::ReadOptions(), state_->handle(family), to_slice(key), &value);
  if (!status.ok() && !status.IsNotFound()) return to_error(status, state_->directory);
  RowCache::Value row;
  if (status.ok()) row = std::move(value);
  if (!cache_key.empty()) state_->rows.keep(cache_key, row, ticket);
  return row;
}

namespace {

/// Keeps the cache true over a batch: made before it is written.
class CachedWrite {
 public:
  explicit CachedWrite(RowCache& rows) : rows_(rows) {}
  void add(std::string cache_key, std::optional<std::string> value) {
    const RowCache::Ticket ticket = rows_.begin_write(cache_key);
    writes_.push_back({std::move(cache_key), std::move(value), ticket});
  }
  void add_range() { has_range_ = true; }
  void end(bool is_written) {
    for (const Write& write : writes_) {
      rows_.end_write(write.key, is_written ? write.value : std::nullopt, write.ticket);
    }
    if (has_range_) rows_.clear();
  }

 private:
  struct Write {
    std::string key;
    std::optional<std::string> value;  ///< empty: removed, and hardly asked for again
    RowCache::Ticket ticket;
  };
  RowCache& rows_;
  std::vector<Write> writes_;
  bool has_range_ = false;
};

}  // namespace

Result<void> MetadataDb::write(const MetadataBatch& batch, Durability durability, SpaceUse use) {
  using Kind = MetadataBatch::Operations::Kind;
  SATCHEL_TRY(state_->require_open());
  std::size_t bytes = kOperationOverheadBytes;
  for (const auto& operation : batch.operations_->list) {
    bytes += operation.key.size() + operation.value.size() + kOperationOverheadBytes;
  }
  rocksdb::WriteBatch writes(bytes);
  CachedWrite cached(state_->rows);
  for (const auto& operation : batch.operations_->list) {
    rocksdb::ColumnFamilyHandle* const handle = state_->handle(operation.family);
    rocksdb::Status status;
    switch (operation.kind) {
      case Kind::kPut:
        status = writes.Put(handle, to_slice(operation.key), to_slice(operation.value));
        break;
      case Kind::kRemove:
        status = writes.Delete(handle, to_slice(operation.key));
        break;
      case Kind::kRemoveRange:
        status = writes.DeleteRange(handle, to_slice(operation.key), to_slice(operation.value));
        break;
    }
    if (!status.ok()) return to_error(status, state_->directory);
  }
  for (const auto& operation : batch.operations_->list) {
    if (operation.kind == Kind::kRemoveRange) cached.add_range();
    std::string cache_key = state_->cache_key(operation.family, operation.key);
    if (cache_key.empty() || operation.kind == Kind::kRemoveRange) continue;
    std::optional<std::string> value;
    if (operation.kind == Kind::kPut) value = operation.value;
    cached.add(std::move(cache_key), std::move(value));
  }
  const rocksdb::Status status = state_->write(writes, use);
  cached.end(status.ok());
  if (!status.ok()) return to_error(status, state_->directory);
  // Not WriteOptions::sync: that would hold up every other writer for the time of the fsync.
  return durability == Durability::kPowerCut ? sync() : Result<void>{};
}

Result<void> MetadataDb::sync() {
  SATCHEL_ASSIGN(const Step step, fault_point("metadata.sync"));
  if (step == Step::kLeaveOut) return {};
  SATCHEL_TRY(state_->require_open());
  const rocksdb::Status status =
      state_->shared_sync.run([this] { return state_->database->SyncWAL(); });
  if (!status.ok()) return to_error(status, state_->directory);
  return {};
}

Result<void> MetadataDb::write_out() {
  SATCHEL_ASSIGN(const Step step, fault_point("metadata.write_out"));
  if (step == Step::kLeaveOut) return {};
  SATCHEL_TRY(state_->require_open());
  std::unique_ptr<rocksdb::LogFile> log;
  const rocksdb::Status status = state_->database->GetCurrentWalFile(&log);
  if (!status.ok()) return to_error(status, state_->directory);
  const std::string path = state_->directory.text + log->PathName();
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return {};  // its rows are in tables by now, which were synced
    return file_error(path, "open the log of the database");
  }
  if (::sync_file_range(
          fd.get(), 0, 0,
          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0) {
    return file_error(path, "write the log of the database out");
  }
  return {};
}

Result<void> MetadataDb::scan(
    Family family, std::string_view prefix, std::string_view begin,
    const std::function<Walk(std::string_view key, std::string_view value)>& visit) const {
  SATCHEL_TRY(state_->require_open());
  const std::string end = end_of_prefix(prefix);
  const rocksdb::Slice upper_bound = to_slice(end);
  rocksdb::ReadOptions options;
  if (!end.empty()) options.iterate_upper_bound = &upper_bound;
  options.total_order_seek = prefix.size() < kGroupBytes;
  const auto ticket = state_->keeps(family) ? state_->rows.begin_scan() : std::nullopt;
  const std::unique_ptr<rocksdb::Iterator> at(
      state_->database->NewIterator(options, state_->handle(family)));
  for (at->Seek(to_slice(std::max(prefix, begin))); at->Valid(); at->Next()) {
    const std::string_view key = to_view(at->key());
    const std::string_view value = to_view(at->value());
    if (visit(key, value) == Walk::kStop) break;
    if (ticket) state_->rows.keep_scanned(state_->cache_key(family, key), value, *ticket);
  }
  if (!at->status().ok()) return to_error(at->status(), state_->directory);
  return {};
}

std::uint64_t MetadataDb::approximate_keys(Family family) const {
  std::uint64_t keys = 0;
  if (!state_->require_open()) return keys;
  (void)state_->database->GetIntProperty(
      state_->handle(family), rocksdb::DB::Properties::kEstimateNumKeys, &keys);  // else 0
  return keys;
}

}  // namespace satchel::store
