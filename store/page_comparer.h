// What differs between two sorted lists, skipping the pages that they share.
#pragma once

#include "store/page_cursor.h"

namespace satchel::store {

/// Stops, in order of key, at each key whose items differ. Pages under both at once are skipped by
/// id at every level, also where the lists are cut at different places. Not thread-safe.
template <typename Item>
class PageComparer {
 public:
  PageComparer(TreeStore& trees, const PageId& first, const PageId& second)
      : first_(trees, first), second_(trees, second) {}
  /// As above, checking the top pages against what the directories' entries say of them.
  PageComparer(TreeStore& trees, const DirectoryRef& first, const DirectoryRef& second)
      : first_(trees, first), second_(trees, second) {}

  /// To the next difference; false at the end. Errors: those of PageCursor.
  Result<bool> next();
  /// What each list has at the key; null if nothing. Valid until next().
  [[nodiscard]] const Item* first() const { return has_first_ ? &first_.item() : nullptr; }
  [[nodiscard]] const Item* second() const { return has_second_ ? &second_.item() : nullptr; }

 private:
  PageCursor<Item> first_;
  PageCursor<Item> second_;
  bool has_first_ = false;
  bool has_second_ = false;
};

extern template class PageComparer<Entry>;
extern template class PageComparer<LinkItem>;

}  // namespace satchel::store
