// A small cache that forgets what was used longest ago.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <memory>
#include <utility>

namespace satchel::store {

/// Holds values up to `cost_max` of cost, and always the one added last. For a few dozen of them:
/// it is searched from the front. Not thread-safe.
template <typename Key, typename Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(std::size_t cost_max) : cost_max_(cost_max) {}

  /// Null if it is not here.
  std::shared_ptr<const Value> find(const Key& key) {
    const auto found = std::ranges::find(items_, key, &Item::key);
    if (found == items_.end()) return nullptr;
    items_.splice(items_.begin(), items_, found);
    return items_.front().value;
  }
  void add(const Key& key, std::shared_ptr<const Value> value, std::size_t cost) {
    items_.push_front({key, std::move(value), cost});
    cost_ += cost;
    while (cost_ > cost_max_ && items_.size() > 1) {
      cost_ -= items_.back().cost;
      items_.pop_back();
    }
  }

 private:
  struct Item {
    Key key;
    std::shared_ptr<const Value> value;
    std::size_t cost;
  };
  std::list<Item> items_;  // used last first
  std::size_t cost_max_;
  std::size_t cost_ = 0;
};

}  // namespace satchel::store
