#include "store/page_builder.h"

#include <type_traits>
#include <utility>

#include "store/format_error.h"

namespace satchel::store {
namespace {

template <typename Member, typename Item>
std::vector<Member>& members_of(Page<Item>& page) {
  if constexpr (std::is_same_v<Member, Item>) {
    return page.items;
  } else {
    return page.children;
  }
}

template <typename Item>
std::size_t size_of(const Page<Item>& page) {
  return page.items.size() + page.children.size();
}

/// The page of `level` that ends with `key`, and those below it that end with it too, end there
/// whatever follows. Pages ended by their size are rare, and their end depends on the next item.
bool ends_whatever_follows(std::string_view key, std::uint8_t level) {
  for (std::uint8_t below = 0; below <= level; ++below) {
    if (!key_ends_page(key, below)) return false;
  }
  return true;
}

}  // namespace

template <typename Item>
Result<void> PageBuilder<Item>::append(Item item) {
  const auto key = key_of(item);
  if (has_items_ && key <= last_key_) return contradiction("a sorted list is out of order");
  last_key_ = key;
  has_items_ = true;
  return add(0, std::move(item));
}

template <typename Item>
Result<bool> PageBuilder<Item>::take_over(const IndexItem& page, std::uint8_t level) {
  for (std::size_t below = 0; below <= level && below < levels_.size(); ++below) {
    if (size_of(levels_[below].page) != 0) return false;
  }
  if (!ends_whatever_follows(page.last_key, level)) return false;
  if (has_items_ && page.last_key <= last_key_) {
    return contradiction("a sorted list is out of order");
  }
  last_key_ = page.last_key;
  has_items_ = true;
  SATCHEL_TRY(add(level + 1U, page));
  return true;
}

template <typename Item>
Result<PageList> PageBuilder<Item>::finish() {
  if (!has_items_) return PageList{empty_page<Item>(), {}};
  std::size_t level = 0;
  for (; level + 1 < levels_.size(); ++level) {
    if (size_of(levels_[level].page) != 0) SATCHEL_TRY(close_page(level));
  }
  OpenPage& top = levels_[level];
  if (level > 0 && top.page.children.size() == 1) {
    // The one page below needs no index.
    return PageList{top.page.children.front().page, top.page.children.front().summary};
  }
  SATCHEL_ASSIGN(const IndexItem item, put_open_page(top));
  return PageList{item.page, item.summary};
}

template <typename Item>
typename PageBuilder<Item>::OpenPage& PageBuilder<Item>::level_at(std::size_t level) {
  while (levels_.size() <= level) {
    OpenPage open;
    open.page.level = static_cast<std::uint8_t>(levels_.size());
    levels_.push_back(std::move(open));
  }
  return levels_[level];
}

template <typename Item>
template <typename Member>
Result<void> PageBuilder<Item>::add(std::size_t level, Member member) {
  if (level > kPageLevelMax) return beyond_limit("a sorted list has too many pages");
  const std::size_t bytes = encoded_bytes(member);
  const std::size_t count = size_of(level_at(level).page);
  if (count == kPageItemsMax || (count > 0 && level_at(level).bytes + bytes > kPageItemBytesMax)) {
    SATCHEL_TRY(close_page(level));
  }
  OpenPage& open = level_at(level);
  std::vector<Member>& members = members_of<Member>(open.page);
  members.push_back(std::move(member));
  open.bytes += bytes;
  if (members.size() >= 2 &&
      key_ends_page(key_of(members.back()), static_cast<std::uint8_t>(level))) {
    return close_page(level);
  }
  return {};
}

template <typename Item>
Result<IndexItem> PageBuilder<Item>::put_open_page(OpenPage& open) {
  IndexItem item;
  item.last_key = open.page.level == 0 ? std::string(key_of(open.page.items.back()))
                                       : open.page.children.back().last_key;
  item.summary = summary_of(open.page);
  SATCHEL_ASSIGN(item.page, trees_->put_page(open.page));
  return item;
}

template <typename Item>
Result<void> PageBuilder<Item>::close_page(std::size_t level) {
  OpenPage& open = levels_[level];
  SATCHEL_ASSIGN(IndexItem item, put_open_page(open));
  open.page.items.clear();
  open.page.children.clear();
  open.bytes = 0;
  return add(level + 1, std::move(item));
}

template class PageBuilder<Entry>;
template class PageBuilder<LinkItem>;

}  // namespace satchel::store
