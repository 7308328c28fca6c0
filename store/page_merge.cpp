#include "store/page_merge.h"

#include <optional>

namespace satchel::store {
namespace {

/// Where a list's next item is at least: at `key`, or after it. Without key: anywhere.
struct LeastPlace {
  std::optional<std::string_view> key;
  bool is_after = false;
  friend auto operator<=>(const LeastPlace&, const LeastPlace&) = default;
};

LeastPlace least_place(const PageMerge::Cursor& list) {
  if (list.at_item()) return {key_of(list.item()), false};
  const std::string* after = list.lower_bound();
  if (after == nullptr) return {};
  return {*after, true};
}

KeyBound bound_before(const std::optional<LeastPlace>& place) {
  if (!place) return KeyBound::none();
  return place->is_after ? KeyBound::through(*place->key) : KeyBound::before(*place->key);
}

}  // namespace

Result<PageMerge::Step> PageMerge::step() {
  std::optional<LeastPlace> first_place;
  std::optional<LeastPlace> next_place;  // of the other lists
  for (std::size_t i = 0; i < lists_.size(); ++i) {
    if (lists_[i].at_end()) continue;
    const LeastPlace place = least_place(lists_[i]);
    // Of lists at one place the one before the highest page: it may have to be read.
    const bool is_first = !first_place || place < *first_place ||
                          (place == *first_place && lists_[i].is_unread() &&
                           lists_[i].unread_level() > lists_[first_].unread_level());
    if (is_first) {
      next_place = first_place;
      first_place = place;
      first_ = i;
    } else if (!next_place || place < *next_place) {
      next_place = place;
    }
  }
  if (!first_place) return Step::kEnd;
  if (first_place != next_place) {
    bound_ = bound_before(next_place);
    return Step::kRun;
  }
  if (lists_[first_].at_item()) return Step::kNames;
  SATCHEL_TRY(lists_[first_].read());
  return Step::kLookAgain;
}

const Entry* PageMerge::entry(std::size_t i) const {
  if (!lists_[i].at_item()) return nullptr;
  const Entry& entry = lists_[i].item();
  return entry.name == lists_[first_].item().name ? &entry : nullptr;
}

void PageMerge::pass_names() {
  for (std::size_t i = lists_.size(); i-- > 0;) {
    if (i != first_ && entry(i) != nullptr) lists_[i].next();
  }
  lists_[first_].next();
}

}  // namespace satchel::store
