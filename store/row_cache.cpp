#include "store/row_cache.h"

#include <utility>

#include "base/result.h"

namespace satchel::store {
namespace {

constexpr std::size_t kBytesOfARow = 96;  // what a map adds to key and value

}  // namespace

RowCache::RowCache(std::size_t bytes_max) : young_bytes_max_(bytes_max / kShards / 2) {}

Guarded<RowCache::Shard>& RowCache::shard_of(std::string_view key) {
  return shards_.at(Hash{}(key) % kShards);
}

std::optional<RowCache::Value> RowCache::find(std::string_view key, Ticket& ticket) {
  const auto shard = shard_of(key).lock();
  ticket = shard->edition_of(key).ticket;
  if (const auto found = shard->young.find(key); found != shard->young.end()) {
    return found->second;
  }
  const auto found = shard->old.find(key);
  if (found == shard->old.end()) return std::nullopt;
  Value value = std::move(found->second);
  shard->old.erase(found);
  put(*shard, key, value);
  return value;
}

void RowCache::keep(std::string_view key, const Value& value, Ticket ticket) {
  const auto shard = shard_of(key).lock();
  const Edition& edition = shard->edition_of(key);
  if (edition.ticket == ticket && edition.writes == 0) put(*shard, key, value);
}

RowCache::Ticket RowCache::begin_write(std::string_view key) {
  const auto shard = shard_of(key).lock();
  forget(*shard, key);
  Edition& edition = shard->edition_of(key);
  ++edition.writes;
  return ++edition.ticket;
}

void RowCache::end_write(std::string_view key, const std::optional<std::string>& value,
                         Ticket ticket) {
  const auto shard = shard_of(key).lock();
  Edition& edition = shard->edition_of(key);
  SATCHEL_ASSERT(edition.writes > 0);
  --edition.writes;
  const bool is_alone = edition.ticket++ == ticket;
  if (!is_alone) {
    // Who else wrote meanwhile may have come before or after in the database.
    forget(*shard, key);
  } else if (value) {
    put(*shard, key, *value);
  }
}

void RowCache::clear() {
  for (auto& each : shards_) {
    const auto shard = each.lock();
    shard->young.clear();
    shard->old.clear();
    shard->young_bytes = 0;
    for (Edition& edition : shard->editions) ++edition.ticket;
  }
}

void RowCache::forget(Shard& shard, std::string_view key) {
  for (Rows* const rows : {&shard.young, &shard.old}) {
    if (const auto found = rows->find(key); found != rows->end()) rows->erase(found);
  }
}

void RowCache::put(Shard& shard, std::string_view key, const Value& value) const {
  const std::size_t bytes = key.size() + (value ? value->size() : 0) + kBytesOfARow;
  if (bytes > young_bytes_max_) return;
  if (shard.young_bytes + bytes > young_bytes_max_) {
    shard.old = std::exchange(shard.young, {});
    shard.young_bytes = 0;
  }
  shard.young_bytes += bytes;
  shard.young.insert_or_assign(std::string(key), value);
}

}  // namespace satchel::store
