#include "store/page_comparer.h"

namespace satchel::store {

template <typename Item>
Result<bool> PageComparer<Item>::next() {
  if (has_first_) first_.next();
  if (has_second_) second_.next();
  has_first_ = has_second_ = false;
  while (!first_.at_end() || !second_.at_end()) {
    if (const auto common = find_common_page(first_, second_)) {
      first_.skip_page(common->first_depth);
      second_.skip_page(common->second_depth);
      continue;
    }
    if (first_.is_unread() || second_.is_unread()) {
      // The higher page first: a lower one may turn out to stand below it.
      const bool reads_first =
          first_.is_unread() &&
          (!second_.is_unread() || first_.unread_level() >= second_.unread_level());
      SATCHEL_TRY(reads_first ? first_.read() : second_.read());
      continue;
    }
    has_first_ =
        !first_.at_end() && (second_.at_end() || key_of(first_.item()) <= key_of(second_.item()));
    has_second_ =
        !second_.at_end() && (first_.at_end() || key_of(second_.item()) <= key_of(first_.item()));
    if (!has_first_ || !has_second_ || first_.item() != second_.item()) return true;
    first_.next();
    second_.next();
    has_first_ = has_second_ = false;
  }
  return false;
}

template class PageComparer<Entry>;
template class PageComparer<LinkItem>;

}  // namespace satchel::store
