#include "store/page_editor.h"

namespace satchel::store {
namespace {

/// Whether all that the unread page holds is to be copied, and nothing in it wants a look.
bool is_wanted_whole(const IndexItem& page, const KeyBound& bound, MarkedItems marked) {
  return bound.covers(page.last_key) &&
         !(marked == MarkedItems::kStopBefore && page.summary.marked);
}

}  // namespace

template <typename Item>
Result<void> copy_items(PageCursor<Item>& from, PageBuilder<Item>& to, const KeyBound& bound,
                        MarkedItems marked) {
  while (!from.at_end()) {
    if (from.at_item()) {
      const Item& item = from.item();
      if (!bound.covers(key_of(item))) return {};
      if (marked == MarkedItems::kStopBefore && summary_of(item).marked) return {};
      SATCHEL_TRY(to.append(item));
      from.next();
      continue;
    }
    if (from.lower_bound() != nullptr && !bound.reaches_beyond(*from.lower_bound())) return {};
    const IndexItem* page = from.unread_page();
    // What ended the last page of a level is unknown: more items may belong into it.
    if (page != nullptr && !from.is_on_right_edge() && is_wanted_whole(*page, bound, marked)) {
      SATCHEL_ASSIGN(const bool is_taken,
                     to.take_over(*page, static_cast<std::uint8_t>(from.unread_level())));
      if (is_taken) {
        from.next();
        continue;
      }
    }
    SATCHEL_TRY(from.read());
  }
  return {};
}

template <typename Item>
Result<void> skip_items(PageCursor<Item>& from, const KeyBound& bound) {
  while (!from.at_end()) {
    if (from.at_item()) {
      if (!bound.covers(key_of(from.item()))) return {};
      from.next();
      continue;
    }
    if (from.lower_bound() != nullptr && !bound.reaches_beyond(*from.lower_bound())) return {};
    if (from.unread_page() != nullptr && bound.covers(from.unread_page()->last_key)) {
      from.next();
    } else {
      SATCHEL_TRY(from.read());
    }
  }
  return {};
}

template <typename Item>
Result<void> PageEditor<Item>::set(std::string_view key, std::optional<Item> item) {
  SATCHEL_TRY(copy_items(old_, builder_, KeyBound::before(key)));
  if (old_.at_item() && key_of(old_.item()) == key) old_.next();
  if (item) SATCHEL_TRY(builder_.append(*std::move(item)));
  return {};
}

template <typename Item>
Result<PageList> PageEditor<Item>::finish() {
  SATCHEL_TRY(copy_items(old_, builder_, KeyBound::none()));
  return builder_.finish();
}

template Result<void> copy_items(PageCursor<Entry>&, PageBuilder<Entry>&, const KeyBound&,
                                 MarkedItems);
template Result<void> copy_items(PageCursor<LinkItem>&, PageBuilder<LinkItem>&, const KeyBound&,
                                 MarkedItems);
template Result<void> skip_items(PageCursor<Entry>&, const KeyBound&);
template Result<void> skip_items(PageCursor<LinkItem>&, const KeyBound&);
template class PageEditor<Entry>;
template class PageEditor<LinkItem>;

}  // namespace satchel::store
