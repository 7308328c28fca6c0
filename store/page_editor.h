// Copying sorted lists and changing them, at the cost of the pages that change.
#pragma once

#include <optional>
#include <string_view>

#include "store/page_builder.h"
#include "store/page_cursor.h"

namespace satchel::store {

/// How far to copy: to the end, up to a key, or through it. Borrows the key.
class KeyBound {
 public:
  static KeyBound none() { return {}; }
  static KeyBound before(std::string_view key) { return {key, false}; }
  static KeyBound through(std::string_view key) { return {key, true}; }
  [[nodiscard]] bool covers(std::string_view key) const {
    return !key_ || key < *key_ || (includes_key_ && key == *key_);
  }
  /// Keys above `key` may be covered.
  [[nodiscard]] bool reaches_beyond(std::string_view key) const { return !key_ || key < *key_; }

 private:
  KeyBound() = default;
  KeyBound(std::string_view key, bool includes_key) : key_(key), includes_key_(includes_key) {}
  std::optional<std::string_view> key_;
  bool includes_key_ = false;
};

enum class MarkedItems : std::uint8_t { kCopy, kStopBefore };

/// Appends to `to` what `from` has up to `bound`, whole pages unread where the cut allows it, and
/// leaves `from` behind the last one copied.
template <typename Item>
Result<void> copy_items(PageCursor<Item>& from, PageBuilder<Item>& to, const KeyBound& bound,
                        MarkedItems marked = MarkedItems::kCopy);

/// Moves `from` past what it has up to `bound`, reading only the page in which that falls.
template <typename Item>
Result<void> skip_items(PageCursor<Item>& from, const KeyBound& bound);

/// A list with changes, made in ascending order of key.
template <typename Item>
class PageEditor {
 public:
  PageEditor(TreeStore& trees, const PageId& top) : old_(trees, top), builder_(trees) {}
  /// `key` is removed if `item` is absent; else `item`, whose key it is, takes its place.
  Result<void> set(std::string_view key, std::optional<Item> item);
  /// Ends the editor's use.
  Result<PageList> finish();

 private:
  PageCursor<Item> old_;
  PageBuilder<Item> builder_;
};

extern template class PageEditor<Entry>;
extern template class PageEditor<LinkItem>;

}  // namespace satchel::store
