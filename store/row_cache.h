// Rows of a database that were read or written lately.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.h"

namespace satchel::store {

/// Answers for a row that is asked for again, also that there is none. Bounded: a row has one of
/// the few slots of the set that its key falls into (a set-associative cache), and takes that of
/// the one that was not asked for the longest. Long rows are not kept.
///
/// It is never behind the database: a row is forgotten before it is written, and what was read
/// while a write was under way is not kept. Thread-safe.
class RowCache {
 public:
  /// `bytes_max`: roughly what it takes when it is full of rows of the usual length. 0: keeps
  /// nothing.
  explicit RowCache(std::size_t bytes_max);

  using Value = std::optional<std::string>;  ///< empty: there is no such row
  /// Says which writes a reader has seen; for what it was made for, a key or a scan.
  using Ticket = std::uint64_t;

  /// What is known of `key`; else empty, and `ticket` is for keep().
  std::optional<Value> find(std::string_view key, Ticket& ticket);
  /// `value` was read from the database after find() gave the ticket. Nothing is kept while a write
  /// is under way.
  void keep(std::string_view key, const Value& value, Ticket ticket);

  /// Before any number of rows are read. The ticket is for keep_scanned(); empty while a write is
  /// under way.
  [[nodiscard]] std::optional<Ticket> begin_scan() const;
  /// As keep(), if nothing at all was written since begin_scan().
  void keep_scanned(std::string_view key, std::string_view value, Ticket ticket);

  /// Before `key` is written. The ticket is for end_write().
  Ticket begin_write(std::string_view key);
  /// After it was written, or failed to be: `value` is what is there now, if that is known and
  /// worth keeping. Each begin_write() has one.
  void end_write(std::string_view key, const std::optional<std::string>& value, Ticket ticket);
  /// After rows were written that nobody has named.
  void clear();

 private:
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kSlots = 8;  // of a set

  struct Row {
    std::string key;
    Value value;
  };
  struct Slot {
    std::size_t hash = 0;      ///< of the key, so that other rows need not be looked at
    std::unique_ptr<Row> row;  ///< null: the slot is free
  };
  using Slots = std::array<Slot, kSlots>;
  struct Set {
    Slots slots;               ///< what was asked for last comes first
    Ticket ticket = 0;         ///< moves at the beginning and the end of a write
    std::uint32_t writes = 0;  ///< under way
  };
  using Shard = std::vector<Set>;
  struct Key {
    std::string_view text;
    std::size_t hash;
  };

  static Key hashed(std::string_view key);
  Guarded<Shard>& shard_of(const Key& key);
  Set& set_of(Shard& shard, const Key& key) const;
  static Slots::iterator find(Set& set, const Key& key);
  static void forget(Set& set, const Key& key);
  void put(Set& set, const Key& key, Value value) const;

  std::size_t sets_;  // of one shard
  bool keeps_;
  std::array<Guarded<Shard>, kShards> shards_;
  std::atomic<Ticket> writes_begun_ = 0;
  std::atomic<Ticket> writes_ended_ = 0;
};

}  // namespace satchel::store
