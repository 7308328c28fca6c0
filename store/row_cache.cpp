#include "store/row_cache.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/result.h"

namespace satchel::store {
namespace {

constexpr std::size_t kRowBytesMax = 512;
constexpr std::size_t kUsualRowBytes = 256;  // with what a slot adds to key and value

}  // namespace

RowCache::RowCache(std::size_t bytes_max)
    : sets_(std::max<std::size_t>(1, bytes_max / kUsualRowBytes / kSlots / kShards)),
      keeps_(bytes_max > 0) {
  for (auto& shard : shards_) *shard.lock() = Shard(sets_);
}

RowCache::Key RowCache::hashed(std::string_view key) {
  return {.text = key, .hash = std::hash<std::string_view>{}(key)};
}

Guarded<RowCache::Shard>& RowCache::shard_of(const Key& key) {
  return shards_.at(key.hash % kShards);
}

RowCache::Set& RowCache::set_of(Shard& shard, const Key& key) const {
  return shard[key.hash / kShards % sets_];
}

std::optional<RowCache::Value> RowCache::find(std::string_view text, Ticket& ticket) {
  const Key key = hashed(text);
  const auto shard = shard_of(key).lock();
  Set& set = set_of(*shard, key);
  ticket = set.ticket;
  const auto found = find(set, key);
  if (found == set.slots.end()) return std::nullopt;
  std::rotate(set.slots.begin(), found, found + 1);
  return set.slots.front().row->value;
}

void RowCache::keep(std::string_view text, const Value& value, Ticket ticket) {
  const Key key = hashed(text);
  const auto shard = shard_of(key).lock();
  Set& set = set_of(*shard, key);
  if (set.ticket == ticket && set.writes == 0) put(set, key, value);
}

std::optional<RowCache::Ticket> RowCache::begin_scan() const {
  const Ticket ended = writes_ended_;
  const Ticket begun = writes_begun_;
  if (begun != ended) return std::nullopt;
  return begun;
}

// A writer counts before it takes the lock to forget the row, so what is kept here just before it
// counted is forgotten by it.
void RowCache::keep_scanned(std::string_view text, std::string_view value, Ticket ticket) {
  const Key key = hashed(text);
  const auto shard = shard_of(key).lock();
  if (writes_begun_ == ticket) put(set_of(*shard, key), key, std::string(value));
}

RowCache::Ticket RowCache::begin_write(std::string_view text) {
  ++writes_begun_;
  const Key key = hashed(text);
  const auto shard = shard_of(key).lock();
  Set& set = set_of(*shard, key);
  forget(set, key);
  ++set.writes;
  return ++set.ticket;
}

void RowCache::end_write(std::string_view text, const std::optional<std::string>& value,
                         Ticket ticket) {
  {
    const Key key = hashed(text);
    const auto shard = shard_of(key).lock();
    Set& set = set_of(*shard, key);
    SATCHEL_ASSERT(set.writes > 0);
    --set.writes;
    const bool is_alone = set.ticket++ == ticket;
    if (!is_alone) {
      // Who else wrote meanwhile may have come before or after in the database.
      forget(set, key);
    } else if (value) {
      put(set, key, *value);
    }
  }
  ++writes_ended_;
}

void RowCache::clear() {
  ++writes_begun_;
  for (auto& each : shards_) {
    const auto shard = each.lock();
    for (Set& set : *shard) {
      set.slots = {};
      ++set.ticket;
    }
  }
  ++writes_ended_;
}

RowCache::Slots::iterator RowCache::find(Set& set, const Key& key) {
  return std::ranges::find_if(set.slots, [&](const Slot& slot) {
    return slot.hash == key.hash && slot.row && slot.row->key == key.text;
  });
}

void RowCache::forget(Set& set, const Key& key) {
  if (const auto found = find(set, key); found != set.slots.end()) found->row.reset();
}

void RowCache::put(Set& set, const Key& key, Value value) const {
  auto slot = find(set, key);
  if (!keeps_ || key.text.size() + (value ? value->size() : 0) > kRowBytesMax) {
    if (slot != set.slots.end()) slot->row.reset();
    return;
  }
  if (slot == set.slots.end()) {
    slot = std::ranges::find_if(set.slots, [](const Slot& each) { return each.row == nullptr; });
  }
  if (slot == set.slots.end()) --slot;
  if (!slot->row) slot->row = std::make_unique<Row>();
  slot->hash = key.hash;
  slot->row->key = key.text;
  slot->row->value = std::move(value);
  std::rotate(set.slots.begin(), slot, slot + 1);
}

}  // namespace satchel::store
