// Cutting a sorted list into pages. docs/format.md, section 2.
#pragma once

#include <vector>

#include "store/page_items.h"

namespace satchel::store {

/// A whole list: its top page, and what stands in it.
struct PageList {
  PageId page;
  PageSummary summary;
};

/// Makes a list from items in ascending order of key, and holds one open page per level. Pages of
/// an older list may be taken over where the cut certainly falls the same, so what finish() gives
/// does not depend on it. `Item` is Entry or LinkItem. Not thread-safe.
template <typename Item>
class PageBuilder {
 public:
  explicit PageBuilder(TreeStore& trees) : trees_(&trees) {}

  /// Errors: EUCLEAN (not in order), kLimit, those of TreeStore.
  Result<void> append(Item item);

  /// Appends all items of a page unread, if that gives the same pages as appending them one by one.
  /// `page` must not be the last one of its level: only then did its last key or a full page end
  /// it.
  Result<bool> take_over(const IndexItem& page, std::uint8_t level);

  /// Ends the builder's use.
  Result<PageList> finish();

 private:
  struct OpenPage {
    Page<Item> page;
    std::size_t bytes = 0;
  };

  OpenPage& level_at(std::size_t level);
  template <typename Member>
  Result<void> add(std::size_t level, Member member);
  Result<IndexItem> put_open_page(OpenPage& open);
  Result<void> close_page(std::size_t level);

  TreeStore* trees_;
  std::vector<OpenPage> levels_;
  std::string last_key_;
  bool has_items_ = false;
};

extern template class PageBuilder<Entry>;
extern template class PageBuilder<LinkItem>;

}  // namespace satchel::store
