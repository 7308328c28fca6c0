// The one door to RocksDB: ordered keys and values in a few named families, written in atomic
// batches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/path.h"
#include "base/result.h"

namespace satchel::store {

/// What a returned write() has survived.
enum class Durability : std::uint8_t {
  kProcessCrash,  ///< kill -9: it is in the log, in the page cache
  kPowerCut,      ///< it is on the medium; concurrent callers share one sync
};

/// What a write may use on a full filesystem.
enum class SpaceUse : std::uint8_t {
  kAll,       ///< also the reserve: for what removes, syncs or ends something
  kOrdinary,  ///< not the reserve: for what adds something. ENOSPC while that is short
};

/// Index into the list of families given to open().
using Family = std::uint32_t;

/// How long the first part of a key is that says which group it belongs to, where families have
/// groups. No key of such a family is shorter.
inline constexpr std::size_t kGroupBytes = 8;

/// Changes that become visible together or not at all. A value; not thread-safe.
class MetadataBatch {
 public:
  MetadataBatch();
  ~MetadataBatch();
  MetadataBatch(MetadataBatch&&) noexcept;
  MetadataBatch& operator=(MetadataBatch&&) noexcept;
  void put(Family family, std::string_view key, std::string_view value);
  void remove(Family family, std::string_view key);
  /// Removes all keys in [begin, end).
  void remove_range(Family family, std::string_view begin, std::string_view end);
  [[nodiscard]] bool is_empty() const;
  void clear();

 private:
  friend class MetadataDb;
  struct Operations;
  std::unique_ptr<Operations> operations_;
};

struct MetadataDbOptions {
  std::vector<std::string> families{};   ///< created when missing; order gives the Family numbers
  std::size_t cache_bytes = 16U << 20U;  ///< of blocks read
  std::size_t write_buffer_bytes = 8U << 20U;  ///< of all families together
  std::size_t row_cache_bytes = 0;             ///< see store/row_cache.h
  std::vector<Family> row_cache_families{};    ///< whose rows get() need not search for
  /// Families whose keys are grouped by their first kGroupBytes, and scanned within a group: what
  /// was written lately is found by a hash of the group, so that a write searches that alone.
  std::vector<Family> grouped_families{};
  std::uint64_t reserve_bytes_max = 0;  ///< see store/space_reserve.h
  /// open() returns while RocksDB still reads its files; what is wrong with them is told by the
  /// first call that needs them.
  bool opens_in_background = false;
};

/// After a crash of the process every returned write() is there; after a power cut every write() up
/// to the last durable one, and of those since then a prefix: never a later one without an earlier
/// one.
///
/// Thread-safe. One opener at a time: a second open() fails with EBUSY/kStoreInUse.
/// Errors of all methods: ENOSPC/kNoSpace, EROFS/kReadOnly, EIO/kIo, EUCLEAN/kContradiction
/// (RocksDB found corruption).
class MetadataDb {
 public:
  /// Makes `directory`, and what is missing above it. Errors: also EACCES, ENOTDIR.
  static Result<MetadataDb> open(const HostPath& directory, const MetadataDbOptions& options);
  MetadataDb(MetadataDb&&) noexcept;
  MetadataDb& operator=(MetadataDb&&) noexcept;
  ~MetadataDb();

  [[nodiscard]] Result<std::optional<std::string>> get(Family family, std::string_view key) const;
  Result<void> write(const MetadataBatch& batch, Durability durability = Durability::kProcessCrash,
                     SpaceUse use = SpaceUse::kAll);
  /// Makes every write that has returned survive a power cut; concurrent calls share one fsync.
  /// Fault point: metadata.sync.
  Result<void> sync();
  /// Brings what is in the log to the medium, without the fsync: so what is done to files from now
  /// on is not there before it, where the filesystem keeps an order (ext4). Fault point:
  /// metadata.write_out.
  Result<void> write_out();

  enum class Walk : std::uint8_t { kContinue, kStop };
  /// Visits keys from `begin` (inclusive) that start with `prefix`, ascending, as of the call. In
  /// a family that is cached the row cache keeps them, unless something is written meanwhile.
  Result<void> scan(
      Family family, std::string_view prefix, std::string_view begin,
      const std::function<Walk(std::string_view key, std::string_view value)>& visit) const;
  /// An estimate, cheap: RocksDB counts overwritten and removed keys until it merges them away.
  [[nodiscard]] std::uint64_t approximate_keys(Family family) const;

 private:
  struct State;
  explicit MetadataDb(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satchel::store
