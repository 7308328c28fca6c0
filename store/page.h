// Pages of directories and of link tables: decoded form, encoding, and the cut. docs/format.md,
// section 2.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/entry.h"
#include "store/ids.h"

namespace satchel::store {

inline constexpr std::size_t kPageItemsMax = 1024;
inline constexpr std::size_t kPageItemBytesMax = 256U << 10U;
/// Encoded page with its header: readers refuse longer ones.
inline constexpr std::size_t kPageBytesMax = kPageItemBytesMax + 64U;
inline constexpr std::uint8_t kPageLevelMax = 31;
inline constexpr std::size_t kLinkPathBytesMax = 65'535;

/// What a page or a whole list sums up to.
struct PageSummary {
  std::uint64_t entries = 0;
  std::uint64_t subdirectories = 0;
  bool marked = false;
  PageSummary& operator+=(const PageSummary& other);
  friend bool operator==(const PageSummary&, const PageSummary&) = default;
};

/// One page of the level below, as an index page knows it.
struct IndexItem {
  std::string last_key;
  PageId page;
  PageSummary summary;
  friend bool operator==(const IndexItem&, const IndexItem&) = default;
};

/// One name of a linked file.
struct LinkItem {
  FileId file_id;
  std::string path;  ///< from the root, no leading '/'
  [[nodiscard]] std::string key() const;
  friend auto operator<=>(const LinkItem&, const LinkItem&) = default;
};

/// Level 0 holds `items`, the others `children`. `Item` is Entry or LinkItem.
template <typename Item>
struct Page {
  std::uint8_t level = 0;
  std::vector<Item> items;
  std::vector<IndexItem> children;
  PageSummary summary;  ///< only where a TreeStore gave the page out; else summary_of()
};
using DirectoryPage = Page<Entry>;
using LinkPage = Page<LinkItem>;

std::vector<std::byte> encode_page(const DirectoryPage& page);
std::vector<std::byte> encode_page(const LinkPage& page);
/// Take any bytes; check order, limits and canonical form of the page itself. Errors: EUCLEAN,
/// newer format.
Result<DirectoryPage> decode_directory_page(Bytes bytes);
Result<LinkPage> decode_link_page(Bytes bytes);

/// The empty list: known to every reader, never stored.
PageId empty_directory_page();
PageId empty_link_page();

/// A page of `level` may end after an item with this key.
bool key_ends_page(std::string_view key, std::uint8_t level);

}  // namespace satchel::store
