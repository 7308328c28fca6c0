// Rows of a database that were read or written lately.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/guarded.h"

namespace satchel::store {

/// Answers for a row that is asked for again, also that there is none. Bounded: what has not been
/// asked for since half of it was filled anew is forgotten.
///
/// It is never behind the database: a row is forgotten before it is written, and what was read
/// while a write was under way is not kept. Thread-safe.
class RowCache {
 public:
  /// `bytes_max`: of keys and values, each counted with what a map adds. 0: keeps nothing.
  explicit RowCache(std::size_t bytes_max);

  using Value = std::optional<std::string>;  ///< empty: there is no such row
  /// Says which writes a reader has seen; for the key that it was made for.
  using Ticket = std::uint64_t;

  /// What is known of `key`; else empty, and `ticket` is for keep().
  std::optional<Value> find(std::string_view key, Ticket& ticket);
  /// `value` was read from the database after find() gave the ticket. Nothing is kept while a write
  /// is under way.
  void keep(std::string_view key, const Value& value, Ticket ticket);

  /// Before `key` is written. The ticket is for end_write().
  Ticket begin_write(std::string_view key);
  /// After it was written, or failed to be: `value` is what is there now, if that is known and
  /// worth keeping. Each begin_write() has one.
  void end_write(std::string_view key, const std::optional<std::string>& value, Ticket ticket);
  /// After rows were written that nobody has named.
  void clear();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Rows = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;
  /// Of some keys of a shard.
  struct Edition {
    Ticket ticket = 0;         ///< moves at the beginning and the end of a write
    std::uint32_t writes = 0;  ///< under way
  };
  struct Shard {
    Rows young, old;  ///< a row that is found among the old ones becomes young again
    std::size_t young_bytes = 0;
    std::array<Edition, 64> editions{};
    Edition& edition_of(std::string_view key) {
      return editions.at(Hash{}(key) / kShards % editions.size());
    }
  };
  static constexpr std::size_t kShards = 16;

  Guarded<Shard>& shard_of(std::string_view key);
  void put(Shard& shard, std::string_view key, const Value& value) const;
  static void forget(Shard& shard, std::string_view key);

  std::size_t young_bytes_max_;  // of one shard
  std::array<Guarded<Shard>, kShards> shards_;
};

}  // namespace satchel::store
