#include "store/page.h"

#include "base/sha256.h"
#include "store/format_error.h"
#include "store/page_items.h"

namespace satchel::store {
namespace {

constexpr std::size_t kKeyBytesMax = sizeof(FileId) + kLinkPathBytesMax;
constexpr unsigned kCutBits = 7;  // a page ends after one key in 128

/// What the decoder has to know of a kind of page beside its items.
template <typename Item>
struct Form;
template <>
struct Form<Entry> {
  static constexpr std::string_view kMagic = "SPG0";
  static constexpr std::size_t kItemBytesMin = 4;  // a whiteout of a one-byte name
};
template <>
struct Form<LinkItem> {
  static constexpr std::string_view kMagic = "SLK0";
  static constexpr std::size_t kItemBytesMin = sizeof(FileId) + 2;
};
constexpr std::size_t kIndexItemBytesMin = 2 + PageId::kBytes + 3;

Result<LinkItem> decode_link(ByteReader& in) {
  SATCHEL_ASSIGN(const auto file_id, in.get_array<sizeof(FileId)>());
  SATCHEL_ASSIGN(const std::string_view path, in.get_text(kLinkPathBytesMax));
  if (path.empty()) return contradiction("a link without a path");
  return LinkItem{FileId{file_id}, std::string(path)};
}

Result<IndexItem> decode_index_item(ByteReader& in) {
  IndexItem child;
  SATCHEL_ASSIGN(child.last_key, in.get_text(kKeyBytesMax));
  SATCHEL_ASSIGN(child.page, in.get_digest<PageId>());
  SATCHEL_ASSIGN(child.summary.entries, in.get_varint());
  SATCHEL_ASSIGN(child.summary.subdirectories, in.get_varint_up_to(child.summary.entries));
  SATCHEL_ASSIGN(const std::uint8_t marked, in.get_u8());
  if (marked > 1) return contradiction("a page is neither marked nor not");
  child.summary.marked = marked == 1;
  return child;
}

template <typename Item>
Result<Item> decode_item(ByteReader& in) {
  if constexpr (std::is_same_v<Item, Entry>) {
    return decode_entry(in);
  } else if constexpr (std::is_same_v<Item, LinkItem>) {
    return decode_link(in);
  } else {
    return decode_index_item(in);
  }
}

/// Items in order, none after which the page should have ended.
template <typename Item>
Result<std::vector<Item>> decode_items(ByteReader& in, std::uint8_t level, std::size_t bytes_min) {
  SATCHEL_ASSIGN(const std::size_t count, in.get_count(bytes_min, kPageItemsMax));
  if (in.remaining() > kPageItemBytesMax) return beyond_limit("a page's items are above 256 KiB");
  std::vector<Item> items;
  items.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    SATCHEL_ASSIGN(Item item, decode_item<Item>(in));
    if (i > 0 && key_of(items.back()) >= key_of(item)) {
      return contradiction("a page's items are out of order");
    }
    if (i > 1 && key_ends_page(key_of(items.back()), level)) {
      return contradiction("a page goes on where it must end");
    }
    items.push_back(std::move(item));
  }
  SATCHEL_TRY(in.expect_end());
  return items;
}

template <typename Item>
Result<Page<Item>> decode_page(Bytes bytes) {
  if (bytes.size() > kPageBytesMax) return beyond_limit("a page is longer than any can be");
  ByteReader in(bytes);
  SATCHEL_ASSIGN(const Bytes magic, in.get_raw(Form<Item>::kMagic.size()));
  if (as_text(magic) != Form<Item>::kMagic) return newer_format("form of a page");
  Page<Item> page;
  SATCHEL_ASSIGN(page.level, in.get_u8());
  if (page.level > kPageLevelMax) return contradiction("a page's level is above 31");
  if (page.level == 0) {
    SATCHEL_ASSIGN(page.items, decode_items<Item>(in, 0, Form<Item>::kItemBytesMin));
    return page;
  }
  SATCHEL_ASSIGN(page.children, decode_items<IndexItem>(in, page.level, kIndexItemBytesMin));
  if (page.children.empty()) return contradiction("an index page without pages");
  return page;
}

template <typename Item>
std::vector<std::byte> encode_any_page(const Page<Item>& page) {
  ByteWriter out;
  out.put_raw(as_bytes(Form<Item>::kMagic)).put_u8(page.level);
  out.put_varint(page.level == 0 ? page.items.size() : page.children.size());
  for (const Item& item : page.items) encode_item(item, out);
  for (const IndexItem& child : page.children) encode_item(child, out);
  return out.take();
}

}  // namespace

PageSummary& PageSummary::operator+=(const PageSummary& other) {
  entries += other.entries;
  subdirectories += other.subdirectories;
  marked = marked || other.marked;
  return *this;
}

std::string LinkItem::key() const {
  std::string key(as_text(file_id.bytes));
  key += path;
  return key;
}

void encode_item(const Entry& entry, ByteWriter& out) {
  encode_entry(entry, out);
}

void encode_item(const LinkItem& link, ByteWriter& out) {
  out.put_raw(link.file_id.bytes).put_text(link.path);
}

void encode_item(const IndexItem& child, ByteWriter& out) {
  out.put_text(child.last_key).put_raw(child.page.bytes);
  out.put_varint(child.summary.entries).put_varint(child.summary.subdirectories);
  out.put_u8(child.summary.marked ? 1 : 0);
}

std::vector<std::byte> encode_page(const DirectoryPage& page) {
  return encode_any_page(page);
}
std::vector<std::byte> encode_page(const LinkPage& page) {
  return encode_any_page(page);
}

Result<DirectoryPage> decode_directory_page(Bytes bytes) {
  return decode_page<Entry>(bytes);
}
Result<LinkPage> decode_link_page(Bytes bytes) {
  return decode_page<LinkItem>(bytes);
}

PageId empty_directory_page() {
  static const PageId id{sha256(encode_page(DirectoryPage{}))};
  return id;
}

PageId empty_link_page() {
  static const PageId id{sha256(encode_page(LinkPage{}))};
  return id;
}

bool key_ends_page(std::string_view key, std::uint8_t level) {
  const Sha256Value hash = sha256(as_bytes(key));
  // The low 7 bits of a little-endian 16-bit number stand in its first byte.
  const std::size_t first = std::size_t{2} * (level % 16U);
  return (std::to_integer<unsigned>(hash[first]) & ((1U << kCutBits) - 1U)) == 0;
}

}  // namespace satchel::store
