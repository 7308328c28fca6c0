// A bounded map that forgets what was not used for longest.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>

namespace satchel::store {

/// Keeps values up to `cost_max` together, each at the cost that its user names (1, or bytes). The
/// value inserted last always stays, whatever its cost. `Value` is cheap to copy (a shared_ptr).
/// Not thread-safe: put it behind a Guarded.
template <typename Key, typename Value>
class LruCache {
 public:
  explicit LruCache(std::size_t cost_max) : cost_max_(cost_max) {}

  std::optional<Value> find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return std::nullopt;
    items_.splice(items_.begin(), items_, found->second);
    return found->second->value;
  }
  /// Replaces a value of the same key.
  void insert(const Key& key, Value value, std::size_t cost) {
    erase(key);
    items_.push_front({key, std::move(value), cost});
    places_.emplace(key, items_.begin());
    cost_ += cost;
    while (cost_ > cost_max_ && items_.size() > 1) erase(Key(items_.back().key));
  }
  void erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    cost_ -= found->second->cost;
    items_.erase(found->second);
    places_.erase(found);
  }
  void clear() {
    items_.clear();
    places_.clear();
    cost_ = 0;
  }

 private:
  struct Item {
    Key key;
    Value value;
    std::size_t cost;
  };
  std::size_t cost_max_;
  std::size_t cost_ = 0;
  std::list<Item> items_;  // used last first
  std::unordered_map<Key, typename std::list<Item>::iterator> places_;
};

}  // namespace satchel::store
