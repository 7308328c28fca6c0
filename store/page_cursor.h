// A place in a sorted list of pages, reading as little as its user asks for.
#pragma once

#include <optional>
#include <vector>

#include "store/page_items.h"

namespace satchel::store {

/// Stands at the end, at an item, or before a page that it has not read. Walkers compare unread
/// pages by id and take them over or skip them; read() goes one level deeper.
///
/// Each page read is checked against what its index item says of it. Keeps one page per level.
/// Copies are independent. `Item` is Entry or LinkItem. Not thread-safe.
template <typename Item>
class PageCursor {
 public:
  /// Before the top page; at the end if the list is empty or `top` is none. Reads nothing.
  PageCursor(TreeStore& trees, const PageId& top);
  /// As above, and the top page is checked against what its directory's entry says of it.
  PageCursor(TreeStore& trees, const DirectoryRef& said);

  [[nodiscard]] bool at_end() const { return places_.empty(); }
  /// At an unread page.
  [[nodiscard]] bool is_unread() const { return !at_end() && !places_.back().page; }
  [[nodiscard]] bool at_item() const { return !at_end() && places_.back().page; }
  /// Only at_item(). Valid until the cursor moves.
  [[nodiscard]] const Item& item() const;
  /// Items passed so far.
  [[nodiscard]] std::uint64_t rank() const { return rank_; }

  /// Reads the unread page: now at its first item or before its first page. Errors: those of
  /// TreeStore, EUCLEAN.
  Result<void> read();
  /// Reads until at an item or at the end.
  Result<void> read_to_item();
  /// Past the item, or past the unread page.
  void next();
  /// To the first item whose key is not below `key`, or the end; never backwards.
  Result<void> seek(std::string_view key);
  /// As seek(), past `key` too.
  Result<void> seek_past(std::string_view key);

  /// Level of the unread page; above all others while the top page is unread.
  [[nodiscard]] unsigned unread_level() const;
  /// What the index says of the unread page; null for the top page.
  [[nodiscard]] const IndexItem* unread_page() const { return places_.back().index_item; }
  /// All items from here on have keys above this; null if nothing is known.
  [[nodiscard]] const std::string* lower_bound() const { return places_.back().after; }
  /// The unread page is the last one of its level.
  [[nodiscard]] bool is_on_right_edge() const;

  /// The pages that begin here, read or not, by depth: from first_starting_depth() up to depth().
  [[nodiscard]] std::size_t depth() const { return places_.size(); }
  [[nodiscard]] std::size_t first_starting_depth() const;
  [[nodiscard]] const PageId& page_id(std::size_t depth) const { return places_[depth].id; }
  [[nodiscard]] const IndexItem* index_item(std::size_t depth) const {
    return places_[depth].index_item;
  }
  /// Past the page at `depth`, which begins here.
  void skip_page(std::size_t depth);

 private:
  struct Place {
    PageId id;
    const IndexItem* index_item = nullptr;  // in the page above; null for the top page
    const std::string* after = nullptr;     // the key before this page; null if there is none
    std::shared_ptr<const Page<Item>> page = nullptr;
    std::size_t position = 0;
  };

  Result<void> seek_while(std::string_view key, bool (*passes)(std::string_view, std::string_view));
  void push_child();
  void leave_page();

  TreeStore* trees_;
  std::optional<DirectoryRef> said_of_top_;
  std::vector<Place> places_;
  std::uint64_t rank_ = 0;
};

/// Two depths at which the same page begins under both cursors.
struct CommonPage {
  std::size_t first_depth = 0;
  std::size_t second_depth = 0;
};
/// The highest page that begins under both.
template <typename Item>
std::optional<CommonPage> find_common_page(const PageCursor<Item>& first,
                                           const PageCursor<Item>& second);

/// The item called `key`, reading one page per level.
template <typename Item>
Result<std::optional<Item>> find_item(TreeStore& trees, const PageId& top, std::string_view key);

extern template class PageCursor<Entry>;
extern template class PageCursor<LinkItem>;

}  // namespace satchel::store
