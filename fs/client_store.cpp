#include "fs/client_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "base/encoding.h"
#include "base/file_io.h"
#include "base/guarded.h"
#include "fs/interruption.h"
#include "fs/mount_table.h"
#include "store/metadata_cache.h"

namespace satchel::fs {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::uint32_t kOwnerVersion = 0;
constexpr std::string_view kOwnerMagic = "SST0";
constexpr std::size_t kOwnerBytesMax = 4096;
constexpr unsigned kImageSlotsMax = 64;
/// How long a process that was killed may take to end, on a busy machine.
constexpr std::chrono::seconds kDyingGrace{10};
/// And one that still writes what it holds back, after its mount has gone.
constexpr std::chrono::seconds kEndingGrace{60};
/// How long one may take to say that its mount has gone.
constexpr std::chrono::milliseconds kEndNotice{500};
constexpr std::chrono::milliseconds kHolderPoll{5};
/// In place of the device.
constexpr std::string_view kEnding = "ending";

enum CacheFamily : store::Family { kPages = 0, kSmall = 1 };

/// Opens `root`, made if it is missing.
Result<UniqueFd> open_root(const HostPath& root) {
  if (::mkdir(root.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return file_error(root.text, "make the store");
  }
  UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return file_error(root.text, "open the store");
  return fd;
}

Result<UniqueFd> make_folder(int root, const std::string& path) {
  SATCHEL_ASSIGN(const auto relative, RelativePath::parse(path));
  return make_directories_at(root, relative, kFolderMode);
}

/// "1234 0:57", without the device until it is mounted; "1234 ending" when it is no more.
struct LockHolder {
  pid_t pid = 0;  ///< 0: it did not write one yet
  std::string device;
};

LockHolder read_holder(int lock) {
  std::array<char, 64> bytes{};
  const ssize_t size = ::pread(lock, bytes.data(), bytes.size(), 0);
  std::string_view text(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  text = text.substr(0, text.find('\n'));
  LockHolder holder;
  const auto number = std::from_chars(text.begin(), text.end(), holder.pid);  // not one: 0
  if (number.ptr != text.end()) holder.device = std::string(number.ptr + 1, text.end());
  return holder;
}

Result<void> write_holder(int lock, std::string_view more) {
  return pwrite_all(lock, as_bytes(fmt::format("{}{}\n", ::getpid(), more)), 0);
}

/// Its mount is gone: it writes what it held back, frees what was removed, and ends. It says so,
/// but it may be stopped before; the device alone does not tell, for another mount may have it by
/// now.
bool is_ending(const LockHolder& holder) {
  if (holder.device == kEnding) return true;
  if (holder.pid <= 0 || holder.device.empty()) return false;
  const auto table = read_mount_table_of(holder.pid);
  return table && std::ranges::none_of(*table, [&](const MountedFilesystem& mounted) {
           return mounted.device == holder.device && mounted.type == kFilesystemType;
         });
}

/// How long to wait for it before the slot is said to be in use.
std::chrono::milliseconds patience_with(const LockHolder& holder, bool has_siblings) {
  // The kernel takes a process's locks from it when its last thread has ended.
  if (holder.pid > 0 && is_dying(holder.pid)) return kDyingGrace;
  if (has_siblings || holder.device.empty()) return std::chrono::milliseconds(0);
  return is_ending(holder) ? kEndingGrace : kEndNotice;
}

Error slot_in_use(const HostPath& directory, const LockHolder& holder) {
  Error error{.code = EBUSY,
              .sat = Sat::kStoreInUse,
              .message = "in use",
              .path = directory.text,
              .hint = "unmount it there, or use another store"};
  if (holder.pid > 0) error.message += fmt::format(" by process {}", holder.pid);
  if (is_ending(holder)) {
    error.message += ", which is ending";
    error.hint = "try again when it has written what it holds";
  }
  return error;
}

/// The lock of a slot, for as long as the descriptor is open. Waits for a holder that is about to
/// end; `has_siblings`: only if it was killed. Errors: EBUSY/kStoreInUse.
Result<UniqueFd> take_lock(int folder, const HostPath& directory, bool has_siblings) {
  UniqueFd lock(::openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!lock.valid()) return file_error(directory.text + "/lock", "open the lock");
  const auto begin = std::chrono::steady_clock::now();
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_error(directory.text + "/lock", "take the lock");
    const LockHolder holder = read_holder(lock.get());
    if (std::chrono::steady_clock::now() - begin >= patience_with(holder, has_siblings)) {
      return slot_in_use(directory, holder);
    }
    std::this_thread::sleep_for(kHolderPoll);
  }
  if (::ftruncate(lock.get(), 0) != 0) return file_error(directory.text + "/lock", "write");
  SATCHEL_TRY(write_holder(lock.get(), ""));
  return lock;
}

Result<store::RepositoryId> decode_owner(Bytes bytes, const HostPath& directory) {
  ByteReader in(bytes);
  SATCHEL_ASSIGN(const Bytes magic, in.get_raw(kOwnerMagic.size()));
  SATCHEL_ASSIGN(const std::uint32_t version, in.get_u32());
  if (as_text(magic) != kOwnerMagic || version != kOwnerVersion) {
    return Error{.code = EUCLEAN,
                 .sat = Sat::kNewerFormat,
                 .message = fmt::format("a store of version {}", version),
                 .path = directory.text,
                 .hint = "use a newer Satchel"};
  }
  SATCHEL_ASSIGN(const auto id, in.get_array<16>());
  SATCHEL_TRY(in.expect_end());
  return store::RepositoryId{id};
}

Result<void> check_owner(int folder, const HostPath& directory,
                         const store::RepositoryId& repository) {
  const Name file = Name::checked("owner");
  const auto bytes = read_file(folder, file, kOwnerBytesMax);
  if (!bytes && bytes.error().code == ENOENT) {
    ByteWriter out;
    out.put_raw(as_bytes(kOwnerMagic)).put_u32(kOwnerVersion).put_raw(repository.bytes);
    return write_file_durably(folder, file, out.written(), kFileMode);
  }
  SATCHEL_TRY(bytes);
  SATCHEL_ASSIGN(const auto owner, decode_owner(*bytes, directory));
  if (owner == repository) return {};
  return Error{.code = EUCLEAN,
               .sat = Sat::kWrongRepository,
               .message = fmt::format("it belongs to repository {}, and this one is {}",
                                      owner.hex(), repository.hex()),
               .path = directory.text,
               .hint = "use the repository it was made with, or another store"};
}

Result<store::MetadataDb> open_cache(const HostPath& directory) {
  store::MetadataDbOptions options;
  options.families = {"pages", "small"};
  options.opens_in_background = true;  // while the upper and the repository's index are opened
  return store::MetadataDb::open(directory / "cache", options);
}

}  // namespace

StoreSlot StoreSlot::workspace(const store::RefName& user) {
  return {user.text(), false};
}
StoreSlot StoreSlot::image(const store::RefName& image, store::VersionNumber number) {
  return {fmt::format("@{}@{}", image.text(), number), true};
}

struct ClientStore::State {
  State(HostPath where, UniqueFd held_lock, store::ObjectStore shared_store,
        std::optional<store::ObjectStore> own_store, store::MetadataDb cache_db)
      : directory(std::move(where)),
        lock(std::move(held_lock)),
        shared(std::move(shared_store)),
        own(std::move(own_store)),
        cache(std::move(cache_db)),
        metadata(cache, kPages) {}

  HostPath directory;
  Guarded<bool> is_ending{std::in_place, false};
  UniqueFd lock;  // first: everything below is closed before it is given up
  store::ObjectStore shared;
  std::optional<store::ObjectStore> own;
  store::MetadataDb cache;
  store::DatabaseMetadataCache metadata;
};

ClientStore::ClientStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientStore::~ClientStore() = default;

namespace {

struct TakenSlot {
  HostPath directory;
  UniqueFd folder;
  UniqueFd lock;
};

/// A workspace has one folder; an image has as many as it is mounted times.
Result<TakenSlot> take_slot(int root, const HostPath& root_path, const StoreSlot& slot) {
  for (unsigned sibling = 0;; ++sibling) {
    const std::string folder =
        "ws/" + slot.folder() + (sibling == 0 ? "" : fmt::format(".{}", sibling));
    TakenSlot taken;
    taken.directory = root_path / folder;
    SATCHEL_ASSIGN(taken.folder, make_folder(root, folder));
    auto lock = take_lock(taken.folder.get(), taken.directory, slot.is_image());
    if (lock) {
      taken.lock = std::move(*lock);
      return taken;
    }
    const bool is_taken = lock.error().sat == Sat::kStoreInUse;
    if (!is_taken || !slot.is_image() || sibling + 1 == kImageSlotsMax) return lock.error();
  }
}

}  // namespace

Result<HostPath> ClientStore::prepare_index_directory(const HostPath& root, const StoreSlot& slot) {
  SATCHEL_ASSIGN(const auto root_fd, open_root(root));
  const std::string folder = "ws/" + slot.folder() + "/index";
  SATCHEL_TRY(make_folder(root_fd.get(), folder));
  return root / folder;
}

Result<std::unique_ptr<ClientStore>> ClientStore::open(const HostPath& root, const StoreSlot& slot,
                                                       const store::RepositoryId& repository) {
  SATCHEL_ASSIGN(const auto root_fd, open_root(root));
  SATCHEL_ASSIGN(auto taken, take_slot(root_fd.get(), root, slot));
  SATCHEL_TRY(check_owner(taken.folder.get(), taken.directory, repository));
  SATCHEL_TRY(make_folder(root_fd.get(), "shared"));
  SATCHEL_ASSIGN(auto shared, store::ObjectStore::open(root / "shared"));
  std::optional<store::ObjectStore> own;
  if (!slot.is_image()) {
    SATCHEL_ASSIGN(auto opened, store::ObjectStore::open(taken.directory));
    own.emplace(std::move(opened));
  }
  SATCHEL_ASSIGN(auto cache, open_cache(taken.directory));
  return std::unique_ptr<ClientStore>(new ClientStore(
      std::make_unique<State>(std::move(taken.directory), std::move(taken.lock), std::move(shared),
                              std::move(own), std::move(cache))));
}

Result<void> ClientStore::note_mounted(std::string_view device) {
  const auto is_ending = state_->is_ending.lock();
  if (*is_ending) return {};  // it came first
  return write_holder(state_->lock.get(), fmt::format(" {}", device));
}

Result<void> ClientStore::note_unmounted() {
  const auto is_ending = state_->is_ending.lock();
  *is_ending = true;
  return write_holder(state_->lock.get(), fmt::format(" {}", kEnding));
}

const HostPath& ClientStore::directory() const {
  return state_->directory;
}
store::ObjectStore& ClientStore::shared_objects() {
  return state_->shared;
}
store::ObjectStore& ClientStore::own_objects() {
  return state_->own ? *state_->own : state_->shared;
}
store::MetadataDb& ClientStore::cache() {
  return state_->cache;
}
store::Family ClientStore::small_contents() const {
  return kSmall;
}
store::MetadataCache& ClientStore::metadata_cache() {
  return state_->metadata;
}

}  // namespace satchel::fs
