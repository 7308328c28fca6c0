#include "fs/upper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/fault_point.h"
#include "base/file_io.h"
#include "store/sparse_file.h"

namespace satchel::fs {
namespace {

using store::MetadataBatch;
using store::MetadataDb;

/// So that files can be removed from a full disk, and what is in memory can be written.
constexpr std::uint64_t kReserveBytesMax = 32U << 20U;
constexpr std::size_t kRowCacheBytes = 16U << 20U;
constexpr std::string_view kBaseKey = "base";
constexpr std::string_view kNextNumberKey = "next_number";
constexpr std::string_view kGenerationKey = "generation";
constexpr std::string_view kCleanKey = "clean";
/// Numbers are reserved by the block, so that most creates need no write for theirs.
constexpr std::uint64_t kNumbersReserved = 4096;
constexpr std::size_t kCopyStepBytes = 1U << 20U;
/// Bytes that went on their way longer ago have arrived.
constexpr std::size_t kAwaitedMax = 4096;

std::string key_in(UpperId directory, std::string_view rest) {
  std::string key = encode_key(directory);
  key.append(rest);
  return key;
}

std::string encode_base(const UpperBase& base) {
  ByteWriter out;
  out.put_raw(base.root.bytes).put_varint(base.version).put_raw(base.image_root.bytes);
  return std::string(as_text(out.written()));
}

Result<UpperBase> decode_base(std::string_view value) {
  ByteReader in(as_bytes(value));
  UpperBase base;
  SATCHEL_ASSIGN(base.root, in.get_digest<store::RootId>());
  SATCHEL_ASSIGN(base.version, in.get_varint());
  SATCHEL_ASSIGN(base.image_root, in.get_digest<store::RootId>());
  SATCHEL_TRY(in.expect_end());
  return base;
}

/// Calls write(offset, bytes) for what is no hole.
template <typename Write>
Result<void> copy_data(int from, std::uint64_t size, const Write& write) {
  std::uint64_t position = 0;
  return store::visit_sparse_file(from, size,
                                  {.data = [&](Bytes bytes) -> Result<void> {
                                     SATCHEL_TRY(write(position, bytes));
                                     position += bytes.size();
                                     return {};
                                   },
                                   .hole = [&](std::uint64_t bytes) -> Result<void> {
                                     position += bytes;
                                     return {};
                                   }});
}

Result<void> copy_sparse(int from, int to) {
  SATCHEL_ASSIGN(const std::uint64_t size, Upper::size_of(from));
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) {
    return file_error({}, "make room for a changed file");
  }
  return copy_data(from, size,
                   [&](std::uint64_t at, Bytes bytes) { return pwrite_all(to, bytes, at); });
}

Result<void> copy_spilled(const SpillFile& from, int to) {
  if (::ftruncate(to, static_cast<off_t>(from.size())) != 0) {
    return file_error({}, "make room for a changed file");
  }
  std::vector<std::byte> buffer(kCopyStepBytes);
  for (std::uint64_t done = 0; done < from.size();) {
    const auto data = from.seek(done, SEEK_DATA);
    if (!data) break;  // the rest is a hole
    done = *data;
    SATCHEL_ASSIGN(const std::size_t count, from.read(done, buffer));
    SATCHEL_TRY(pwrite_all(to, Bytes(buffer).first(count), done));
    done += count;
  }
  return {};
}

Result<std::optional<std::uint64_t>> get_number(const MetadataDb& db, store::Family family,
                                                std::string_view key) {
  SATCHEL_ASSIGN(const auto value, db.get(family, key));
  if (!value) return std::optional<std::uint64_t>();
  if (value->size() != 8) {
    return Error{.code = EUCLEAN,
                 .sat = Sat::kContradiction,
                 .message = fmt::format("the upper's {} is not a number", key)};
  }
  return std::optional<std::uint64_t>(decode_key(*value));
}

}  // namespace

Result<std::unique_ptr<Upper>> Upper::open(const HostPath& directory, const UpperBase& initial,
                                           const Log& log) {
  return open(
      directory, [&initial]() -> Result<UpperBase> { return initial; }, log);
}

Result<std::unique_ptr<Upper>> Upper::open(const HostPath& directory, const FindBase& initial,
                                           const Log& log) {
  SATCHEL_ASSIGN(MetadataDb db,
                 MetadataDb::open(
                     directory / "meta",
                     {.families = {"dentries", "positions", "inodes", "places", "state", "blocks"},
                      .row_cache_bytes = kRowCacheBytes,
                      .row_cache_families = {kDentries, kInodes},
                      .grouped_families = {kDentries, kPositions, kInodes},
                      .reserve_bytes_max = kReserveBytesMax}));
  const HostPath files_path = directory / "upper";
  if (::mkdir(files_path.c_str(), 0700) != 0 && errno != EEXIST) {
    return file_error(files_path.text, "make the folder of changed files");
  }
  UniqueFd files(::open(files_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!files.valid()) return file_error(files_path.text, "open the folder of changed files");
  std::unique_ptr<Upper> upper(new Upper(std::move(db), std::move(files), log));
  SATCHEL_TRY(upper->open_folders());
  SATCHEL_TRY(upper->load_state(initial));
  SATCHEL_TRY(upper->load_block_maps());
  SATCHEL_TRY(upper->recover());
  return upper;
}

Upper::Upper(MetadataDb db, UniqueFd files, const Log& log)
    : db_(std::move(db)), files_(std::move(files)), log_(&log) {}

Upper::~Upper() = default;

Result<void> Upper::open_folders() {
  bool made_one = false;
  for (std::size_t i = 0; i < kFolders; ++i) {
    const std::string name = fmt::format("{:02x}", i);
    int fd = ::openat(files_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
      if (::mkdirat(files_.get(), name.c_str(), 0700) != 0) {
        return file_error(name, "make a folder of changed files");
      }
      made_one = true;
      fd = ::openat(files_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0) return file_error(name, "open a folder of changed files");
    folders_.emplace_back(fd);
  }
  if (made_one) return fsync_directory(files_.get());
  return {};
}

Result<void> Upper::load_state(const FindBase& initial) {
  SATCHEL_ASSIGN(const auto stored_base, db_.get(kState, kBaseKey));
  if (!stored_base) {
    SATCHEL_ASSIGN(base_, initial());
    MetadataBatch batch;
    batch.put(kState, kBaseKey, encode_base(base_));
    batch.put(kState, kGenerationKey, encode_key(1));
    batch.put(kState, kNextNumberKey, encode_key(kRootUpper + 1));
    SATCHEL_TRY(db_.write(batch, store::Durability::kPowerCut));
  } else {
    SATCHEL_ASSIGN(base_, decode_base(*stored_base));
  }
  SATCHEL_ASSIGN(const auto next, get_number(db_, kState, kNextNumberKey));
  SATCHEL_ASSIGN(const auto generation, get_number(db_, kState, kGenerationKey));
  next_number_ = next.value_or(kRootUpper + 1);
  reserved_ = next_number_;
  generation_ = generation.value_or(1);
  return {};
}

UpperBase Upper::base() const {
  const std::lock_guard lock(mutex_);
  return base_;
}

void Upper::set_base(const UpperBase& base) {
  const std::lock_guard lock(mutex_);
  base_ = base;
}

Result<Generation> Upper::end_generation() {
  const Generation ended = generation_.load();
  MetadataBatch batch;
  batch.put(kState, kGenerationKey, encode_key(ended + 1));
  SATCHEL_TRY(db_.write(batch));
  generation_ = ended + 1;
  return ended;
}

Result<std::optional<InodeRow>> Upper::find_row(UpperId id) const {
  SATCHEL_ASSIGN(const auto value, db_.get(kInodes, encode_key(id)));
  if (!value) return std::optional<InodeRow>();
  SATCHEL_ASSIGN(auto row, decode_row(*value));
  return std::optional<InodeRow>(std::move(row));
}

Result<std::optional<Dentry>> Upper::find_dentry(UpperId directory, std::string_view name) const {
  SATCHEL_ASSIGN(const auto value, db_.get(kDentries, key_in(directory, name)));
  if (!value) return std::optional<Dentry>();
  SATCHEL_ASSIGN(const auto dentry, decode_dentry(*value));
  return std::optional<Dentry>(dentry);
}

Result<std::vector<NamedDentry>> Upper::list_dentries(UpperId directory, std::string_view from,
                                                      std::size_t limit) const {
  std::vector<NamedDentry> found;
  std::optional<Error> error;
  const std::string prefix = encode_key(directory);
  SATCHEL_TRY(db_.scan(kDentries, prefix, key_in(directory, from),
                       [&](std::string_view key, std::string_view value) {
                         if (found.size() == limit) return MetadataDb::Walk::kStop;
                         auto dentry = decode_dentry(value);
                         if (!dentry) {
                           error = std::move(dentry).error();
                           return MetadataDb::Walk::kStop;
                         }
                         found.push_back({std::string(key.substr(prefix.size())), *dentry});
                         return MetadataDb::Walk::kContinue;
                       }));
  if (error) return std::move(*error);
  return found;
}

Result<std::vector<PositionedName>> Upper::list_positions(UpperId directory, std::uint64_t from,
                                                          std::size_t limit) const {
  std::vector<PositionedName> found;
  const std::string prefix = encode_key(directory);
  SATCHEL_TRY(
      db_.scan(kPositions, prefix, key_in(directory, encode_key(from)),
               [&](std::string_view key, std::string_view value) {
                 if (found.size() == limit) return MetadataDb::Walk::kStop;
                 found.push_back({decode_key(key.substr(prefix.size())), std::string(value)});
                 return MetadataDb::Walk::kContinue;
               }));
  return found;
}

Result<std::optional<UpperId>> Upper::find_place(const RelativePath& base_path) const {
  SATCHEL_ASSIGN(const auto value, db_.get(kPlaces, base_path.text()));
  if (!value) return std::optional<UpperId>();
  return std::optional<UpperId>(decode_key(*value));
}

Result<std::uint64_t> Upper::next_number() {
  const std::lock_guard lock(mutex_);
  if (next_number_ == reserved_) {
    MetadataBatch batch;
    batch.put(kState, kNextNumberKey, encode_key(reserved_ + kNumbersReserved));
    SATCHEL_TRY(db_.write(batch));
    reserved_ += kNumbersReserved;
  }
  return next_number_++;
}

void Upper::put_row(MetadataBatch& batch, UpperId id, const InodeRow& row) {
  batch.put(kInodes, encode_key(id), encode_row(row));
}
void Upper::remove_row(MetadataBatch& batch, UpperId id) {
  batch.remove(kInodes, encode_key(id));
}
void Upper::put_dentry(MetadataBatch& batch, UpperId directory, std::string_view name,
                       const Dentry& dentry) {
  batch.put(kDentries, key_in(directory, name), encode_dentry(dentry));
}
void Upper::remove_dentry(MetadataBatch& batch, UpperId directory, std::string_view name) {
  batch.remove(kDentries, key_in(directory, name));
}
void Upper::put_position(MetadataBatch& batch, UpperId directory, std::uint64_t position,
                         std::string_view name) {
  batch.put(kPositions, key_in(directory, encode_key(position)), name);
}
void Upper::remove_position(MetadataBatch& batch, UpperId directory, std::uint64_t position) {
  batch.remove(kPositions, key_in(directory, encode_key(position)));
}
void Upper::put_place(MetadataBatch& batch, const RelativePath& base_path, UpperId id) {
  batch.put(kPlaces, base_path.text(), encode_key(id));
}
void Upper::remove_place(MetadataBatch& batch, const RelativePath& base_path) {
  batch.remove(kPlaces, base_path.text());
}
void Upper::put_base(MetadataBatch& batch, const UpperBase& base) {
  batch.put(kState, kBaseKey, encode_base(base));
}

Result<void> Upper::write(const MetadataBatch& batch, store::Durability durability,
                          store::SpaceUse use) {
  if (durability == store::Durability::kPowerCut) await_writeback();
  SATCHEL_TRY(db_.write(batch, durability, use));
  ++writes_;
  return {};
}
Result<void> Upper::sync() {
  await_writeback();
  return db_.sync();
}

std::string Upper::bytes_name(UpperId id) {
  return fmt::format("{:016x}", id);
}

int Upper::bytes_folder(UpperId id) const {
  return is_scratch(id) ? scratch_.get() : folders_[id % kFolders].get();
}

bool Upper::is_scratch(UpperId id) const {
  return scratch_.valid() && scratch_files_.lock_shared()->contains(id);
}

void Upper::use_scratch(UniqueFd folder, Random& random) {
  scratch_ = std::move(folder);
  cipher_ = std::make_unique<SectorCipher>(random);
}

std::shared_ptr<SpillFile> Upper::find_spill(UpperId id) const {
  if (!scratch_.valid()) return nullptr;
  const auto files = scratch_files_.lock_shared();
  const auto found = files->find(id);
  return found == files->end() ? nullptr : found->second;
}

Result<std::shared_ptr<SpillFile>> Upper::spill(UpperId id, int fd) {
  SATCHEL_ASSERT(is_scratch(id) && !find_spill(id));
  SATCHEL_ASSIGN(const std::uint64_t number, next_number());
  SATCHEL_ASSIGN(std::shared_ptr<SpillFile> made, SpillFile::make(files_.get(), *cipher_, number));
  SATCHEL_ASSIGN(const std::uint64_t size, Upper::size_of(fd));
  SATCHEL_TRY(made->resize(size));
  SATCHEL_TRY(copy_data(fd, size, [&](std::uint64_t at, Bytes bytes) -> Result<void> {
    SATCHEL_ASSIGN(const std::size_t written, made->write(at, bytes));
    if (written < bytes.size()) return Error{.code = ENOSPC, .sat = Sat::kNoSpace};
    return {};
  }));
  if (::ftruncate(fd, 0) != 0) return file_error({}, "free scratch memory");
  scratch_files_.lock()->insert_or_assign(id, made);
  log_->debug("scratch memory is full: spilled id={} bytes={}", id, size);
  return made;
}

void Upper::forget_scratch(UpperId id) {
  scratch_files_.lock()->erase(id);
}

Result<UniqueFd> Upper::create_bytes(UpperId id, Place place, int access) {
  const std::string name = bytes_name(id);
  if (place == Place::kScratch && scratch_.valid()) {
    scratch_files_.lock()->insert_or_assign(id, nullptr);
  }
  UniqueFd fd(::openat(bytes_folder(id), name.c_str(),
                       access | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return file_error({}, "make a changed file");
  return fd;
}

Result<UniqueFd> Upper::open_bytes(UpperId id, int flags) const {
  const std::string name = bytes_name(id);
  UniqueFd fd(::openat(bytes_folder(id), name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return file_error({}, "open a changed file");
  return fd;
}

Result<void> Upper::remove_bytes(UpperId id) {
  if (::unlinkat(bytes_folder(id), bytes_name(id).c_str(), 0) != 0 && errno != ENOENT) {
    return file_error({}, "remove a changed file");
  }
  if (scratch_.valid()) forget_scratch(id);
  const auto map = find_block_map(id);
  if (!map) return {};
  // Who is completing it would write records of its blocks after they went.
  const std::lock_guard turn(map->write_mutex());
  return end_block_map(id);
}

Result<std::uint64_t> Upper::size_of(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return file_error({}, "look at a changed file");
  return static_cast<std::uint64_t>(found.st_size);
}

Upper::Writers Upper::find_writers(UpperId id) const {
  const auto fd = open_bytes(id, O_RDONLY | O_NOATIME);
  if (!fd) return fd.error().code == ENOENT ? Writers::kNone : Writers::kUnknown;
  return find_writers(fd->get());
}

Upper::Writers Upper::find_writers(int fd) {
  // A read lease is refused while there are any.
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) != 0) {
    return errno == EAGAIN ? Writers::kSome : Writers::kUnknown;
  }
  (void)::fcntl(fd, F_SETLEASE, F_UNLCK);  // else closing does it
  return Writers::kNone;
}

Result<UniqueFd> Upper::keep_bytes(UpperId id) {
  SATCHEL_ASSERT(is_scratch(id));
  const std::string name = bytes_name(id);
  const int folder = folders_[id % kFolders].get();
  SATCHEL_ASSIGN(const UniqueFd from, open_bytes(id, O_RDONLY));
  const auto spill_file = find_spill(id);
  UniqueFd kept(
      ::openat(folder, name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!kept.valid()) return file_error({}, "make a changed file");
  auto copied =
      spill_file ? copy_spilled(*spill_file, kept.get()) : copy_sparse(from.get(), kept.get());
  if (copied) copied = fsync_fd(kept.get());
  if (copied) copied = fsync_directory(folder);
  if (!copied) {
    (void)::unlinkat(folder, name.c_str(), 0);  // the error that counts is the copy's
    return std::move(copied).error();
  }
  if (::unlinkat(scratch_.get(), name.c_str(), 0) != 0) {
    return file_error({}, "remove a scratch file");
  }
  return kept;
}

Result<void> Upper::order_rows() {
  const std::uint64_t writes = writes_;
  if (ordered_writes_ >= writes) return {};
  await_writeback();
  SATCHEL_TRY(db_.write_out());
  // Two at a time may set it back, which costs another look.
  ordered_writes_ = writes;
  return {};
}

void Upper::start_writeback(UpperId id) {
  const auto step = fault_point("upper.writeback");
  if (is_scratch(id) || !step || *step == Step::kLeaveOut) return;
  const auto fd = open_bytes(id, O_RDONLY | O_NOATIME);
  if (!fd || ::sync_file_range(fd->get(), 0, 0, SYNC_FILE_RANGE_WRITE) != 0) return;
  const auto ids = in_writeback_.lock();
  if (ids->size() == kAwaitedMax) ids->pop_front();
  ids->push_back(id);
}

void Upper::await_writeback() {
  // Whoever finds nothing to wait for waits for those who are at it.
  const std::lock_guard turn(awaiting_);
  const auto ids = std::exchange(*in_writeback_.lock(), {});
  for (const UpperId id : ids) {
    const auto fd = open_bytes(id, O_RDONLY | O_NOATIME);
    if (!fd) continue;  // removed since
    // An error is for who syncs this file.
    (void)::sync_file_range(
        fd->get(), 0, 0,
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  }
}

Result<void> Upper::sync_filesystem() const {
  if (::syncfs(files_.get()) != 0) return file_error({}, "sync the store's filesystem");
  return {};
}

Result<void> Upper::sync_bytes_folder(UpperId id) const {
  return fsync_directory(bytes_folder(id));
}

Result<struct statvfs> Upper::filesystem() const {
  struct statvfs result {};
  if (::fstatvfs(files_.get(), &result) != 0) return file_error({}, "statvfs of the store");
  return result;
}

Result<void> Upper::mark_clean() {
  MetadataBatch batch;
  {
    const std::lock_guard lock(mutex_);
    batch.put(kState, kNextNumberKey, encode_key(next_number_));
    reserved_ = next_number_;
  }
  batch.put(kState, kCleanKey, "1");
  return db_.write(batch, store::Durability::kPowerCut);
}

// Recovery stands in upper_recovery.cpp, but what a clean stop left is decided here, beside
// mark_clean().
Result<void> Upper::recover() {
  SATCHEL_ASSIGN(const auto clean, db_.get(kState, kCleanKey));
  if (clean) {
    // Durable before anything changes: a crash from now on is an unclean stop.
    MetadataBatch batch;
    batch.remove(kState, kCleanKey);
    return db_.write(batch, store::Durability::kPowerCut);
  }
  std::uint64_t orphans = 0;
  for (std::size_t folder = 0; folder < kFolders; ++folder) {
    SATCHEL_ASSIGN(const auto removed, remove_orphans(folder));
    orphans += removed;
  }
  SATCHEL_ASSIGN(const auto repaired, repair_rows());
  SATCHEL_TRY(repair_block_maps());
  if (orphans + repaired > 0) {
    log_->info("upper recovered orphans_removed={} rows_repaired={}", orphans, repaired);
  }
  return {};
}

}  // namespace satchel::fs
