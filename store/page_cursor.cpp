#include "store/page_cursor.h"

#include <algorithm>

#include "store/format_error.h"

namespace satchel::store {
namespace {

template <typename Item>
std::size_t size_of(const Page<Item>& page) {
  return page.items.size() + page.children.size();
}

/// Holds a page against the index above it: pages are verified one by one, lists are not.
template <typename Item>
Result<void> check_page(const Page<Item>& page, const Page<Item>* above, const IndexItem* said,
                        const std::string* after) {
  if (size_of(page) == 0) return contradiction("an empty page in a list");
  const bool comes_after =
      after == nullptr || (page.level == 0 ? std::string_view(*after) < key_of(page.items.front())
                                           : *after < page.children.front().last_key);
  if (!comes_after) return contradiction("pages of a list are out of order");
  if (said == nullptr) return {};
  const bool is_last_key = page.level == 0 ? said->last_key == key_of(page.items.back())
                                           : said->last_key == page.children.back().last_key;
  if (page.level + 1 != above->level || !is_last_key || said->summary != page.summary) {
    return contradiction("a page is not what the index above it says");
  }
  return {};
}

bool is_below(std::string_view key, std::string_view bound) {
  return key < bound;
}
bool is_not_above(std::string_view key, std::string_view bound) {
  return key <= bound;
}

}  // namespace

template <typename Item>
PageCursor<Item>::PageCursor(TreeStore& trees, const PageId& top) : trees_(&trees) {
  if (!top.is_none() && top != empty_page<Item>()) places_.push_back({.id = top});
}

template <typename Item>
PageCursor<Item>::PageCursor(TreeStore& trees, const DirectoryRef& said)
    : PageCursor(trees, said.page) {
  said_of_top_ = said;
}

template <typename Item>
const Item& PageCursor<Item>::item() const {
  SATCHEL_ASSERT(at_item());
  return places_.back().page->items[places_.back().position];
}

template <typename Item>
Result<void> PageCursor<Item>::read() {
  Place& place = places_.back();
  SATCHEL_ASSIGN(auto page, get_page<Item>(*trees_, place.id));
  const Page<Item>* above = places_.size() > 1 ? places_[places_.size() - 2].page.get() : nullptr;
  SATCHEL_TRY(check_page(*page, above, place.index_item, place.after));
  if (above == nullptr && said_of_top_) {
    const PageSummary& summary = page->summary;
    if (summary.subdirectories != said_of_top_->subdirectories ||
        summary.marked != said_of_top_->marked_below) {
      return contradiction("a directory is not what its entry says");
    }
  }
  place.page = std::move(page);
  if (place.page->level > 0) push_child();
  return {};
}

template <typename Item>
Result<void> PageCursor<Item>::read_to_item() {
  while (is_unread()) SATCHEL_TRY(read());
  return {};
}

template <typename Item>
void PageCursor<Item>::next() {
  if (is_unread()) return skip_page(places_.size() - 1);
  Place& leaf = places_.back();
  ++rank_;
  ++leaf.position;
  if (leaf.position == leaf.page->items.size()) leave_page();
}

template <typename Item>
void PageCursor<Item>::skip_page(std::size_t depth) {
  const IndexItem* said = places_[depth].index_item;
  if (said != nullptr) rank_ += said->summary.entries;
  places_.resize(depth + 1);
  leave_page();
}

template <typename Item>
Result<void> PageCursor<Item>::seek(std::string_view key) {
  return seek_while(key, is_below);
}

template <typename Item>
Result<void> PageCursor<Item>::seek_past(std::string_view key) {
  return seek_while(key, is_not_above);
}

template <typename Item>
Result<void> PageCursor<Item>::seek_while(std::string_view key,
                                          bool (*passes)(std::string_view, std::string_view)) {
  while (!at_end()) {
    if (at_item()) {
      if (!passes(key_of(item()), key)) return {};
      next();
    } else if (unread_page() != nullptr && passes(unread_page()->last_key, key)) {
      next();
    } else {
      SATCHEL_TRY(read());
    }
  }
  return {};
}

template <typename Item>
unsigned PageCursor<Item>::unread_level() const {
  return places_.size() == 1 ? kPageLevelMax + 1U : places_[places_.size() - 2].page->level - 1U;
}

template <typename Item>
bool PageCursor<Item>::is_on_right_edge() const {
  return std::all_of(places_.begin(), places_.end() - 1, [](const Place& place) {
    return place.position + 1 == place.page->children.size();
  });
}

template <typename Item>
std::size_t PageCursor<Item>::first_starting_depth() const {
  std::size_t depth = places_.size();
  while (depth > 0 && places_[depth - 1].position == 0) --depth;
  return depth;
}

template <typename Item>
void PageCursor<Item>::push_child() {
  const Place& above = places_.back();
  const IndexItem& said = above.page->children[above.position];
  const std::string* after =
      above.position > 0 ? &above.page->children[above.position - 1].last_key : above.after;
  places_.push_back({.id = said.page, .index_item = &said, .after = after});
}

template <typename Item>
void PageCursor<Item>::leave_page() {
  places_.pop_back();
  while (!places_.empty()) {
    Place& above = places_.back();
    if (++above.position < above.page->children.size()) return push_child();
    places_.pop_back();
  }
}

template <typename Item>
std::optional<CommonPage> find_common_page(const PageCursor<Item>& first,
                                           const PageCursor<Item>& second) {
  for (std::size_t i = first.first_starting_depth(); i < first.depth(); ++i) {
    for (std::size_t j = second.first_starting_depth(); j < second.depth(); ++j) {
      if (first.page_id(i) == second.page_id(j)) return CommonPage{i, j};
    }
  }
  return std::nullopt;
}

template <typename Item>
Result<std::optional<Item>> find_item(TreeStore& trees, const PageId& top, std::string_view key) {
  if (top.is_none() || top == empty_page<Item>()) return std::nullopt;
  SATCHEL_ASSIGN(auto page, get_page<Item>(trees, top));
  SATCHEL_TRY(check_page<Item>(*page, nullptr, nullptr, nullptr));
  while (page->level > 0) {
    const auto& children = page->children;
    const auto child = std::ranges::partition_point(
        children, [&](const IndexItem& one) { return key_of(one) < key; });
    if (child == children.end()) return std::nullopt;
    SATCHEL_ASSIGN(auto below, get_page<Item>(trees, child->page));
    SATCHEL_TRY(check_page(*below, page.get(), &*child,
                           child != children.begin() ? &std::prev(child)->last_key : nullptr));
    page = std::move(below);
  }
  const auto found = std::ranges::partition_point(
      page->items, [&](const Item& item) { return key_of(item) < key; });
  if (found == page->items.end() || key_of(*found) != key) return std::nullopt;
  return *found;
}

template class PageCursor<Entry>;
template class PageCursor<LinkItem>;
template std::optional<CommonPage> find_common_page(const PageCursor<Entry>&,
                                                    const PageCursor<Entry>&);
template std::optional<CommonPage> find_common_page(const PageCursor<LinkItem>&,
                                                    const PageCursor<LinkItem>&);
template Result<std::optional<Entry>> find_item(TreeStore&, const PageId&, std::string_view);
template Result<std::optional<LinkItem>> find_item(TreeStore&, const PageId&, std::string_view);

}  // namespace satchel::store
