// What the page machinery asks of the three kinds of item: entries, links and index items.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "store/tree_store.h"

namespace satchel::store {

/// What the list is sorted and cut by. Of a LinkItem it has to be made, so it is a value.
inline std::string_view key_of(const Entry& entry) {
  return entry.name.text();
}
inline std::string key_of(const LinkItem& link) {
  return link.key();
}
inline std::string_view key_of(const IndexItem& child) {
  return child.last_key;
}

inline PageSummary summary_of(const Entry& entry) {
  return {1, entry.is_directory() ? 1U : 0U, entry.is_marked()};
}
inline PageSummary summary_of(const LinkItem& /*link*/) {
  return {1, 0, false};
}
inline PageSummary summary_of(const IndexItem& child) {
  return child.summary;
}

/// All that stands in or below a page.
template <typename Item>
PageSummary summary_of(const Page<Item>& page) {
  PageSummary sum;
  for (const Item& item : page.items) sum += summary_of(item);
  for (const IndexItem& child : page.children) sum += summary_of(child);
  return sum;
}

/// `page` as a TreeStore gives it out: look-ups need its summary each time, and pages are long.
template <typename Item>
std::shared_ptr<const Page<Item>> share_page(Page<Item> page) {
  page.summary = summary_of(page);
  return std::make_shared<const Page<Item>>(std::move(page));
}

void encode_item(const Entry& entry, ByteWriter& out);
void encode_item(const LinkItem& link, ByteWriter& out);
void encode_item(const IndexItem& child, ByteWriter& out);

template <typename Item>
std::size_t encoded_bytes(const Item& item) {
  ByteWriter out;
  encode_item(item, out);
  return out.size();
}

/// The list's kind of page, by its kind of item.
template <typename Item>
Result<std::shared_ptr<const Page<Item>>> get_page(TreeStore& trees, const PageId& id);
template <>
inline Result<std::shared_ptr<const DirectoryPage>> get_page<Entry>(TreeStore& trees,
                                                                    const PageId& id) {
  return trees.get_directory_page(id);
}
template <>
inline Result<std::shared_ptr<const LinkPage>> get_page<LinkItem>(TreeStore& trees,
                                                                  const PageId& id) {
  return trees.get_link_page(id);
}

template <typename Item>
PageId empty_page();
template <>
inline PageId empty_page<Entry>() {
  return empty_directory_page();
}
template <>
inline PageId empty_page<LinkItem>() {
  return empty_link_page();
}

}  // namespace satchel::store
