// Where a sorted list is cut into pages, and how long entries are. docs/format.md, sections 2
// and 3.
#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

#include "test/model/reference_model.h"

namespace satchel::model {
namespace {

bool key_closes_page(const std::string& key, unsigned level) {
  std::array<unsigned char, 32> h{};
  if (EVP_Digest(key.data(), key.size(), h.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 failed");
  }
  return h.at(std::size_t{2} * (level % 16)) % 128 == 0;  // low byte first
}

std::uint64_t varint_bytes(std::uint64_t number) {
  std::uint64_t bytes = 1;
  for (; number >= 128; number /= 128) ++bytes;
  return bytes;
}

std::uint64_t string_bytes(std::uint64_t size) {
  return varint_bytes(size) + size;
}

std::uint64_t zigzag_bytes(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  return varint_bytes((bits << 1) ^ (number < 0 ? ~std::uint64_t{0} : 0));
}

std::uint64_t subdirectories_of(const Node& directory) {
  std::uint64_t count = 0;
  for (const auto& [name, child] : directory.children) count += child.is_directory() ? 1 : 0;
  return count;
}

std::uint64_t xattr_bytes(const Node& node) {
  if (node.xattrs.empty()) return 0;
  std::uint64_t set = 4 + varint_bytes(node.xattrs.size());
  for (const auto& [name, value] : node.xattrs) {
    set += string_bytes(name.size()) + string_bytes(value.size());
  }
  return set <= 256 ? string_bytes(set) : 32;
}

}  // namespace

Pages page_cut(const std::vector<PageItem>& items, unsigned level, Bug bug) {
  const std::size_t items_max = bug == Bug::kPageCutOffByOne ? 1025 : 1024;
  const std::size_t items_min = bug == Bug::kPageCutSingle ? 1 : 2;
  Pages pages(1);
  std::uint64_t bytes = 0;
  bool closed = false;
  for (const PageItem& item : items) {
    const bool too_long = bytes + item.bytes > 262144 && bug != Bug::kPageCutIgnoresBytes;
    if (closed || (!pages.back().empty() && (pages.back().size() == items_max || too_long))) {
      pages.emplace_back();
      bytes = 0;
    }
    pages.back().push_back(item);
    bytes += item.bytes;
    closed = pages.back().size() >= items_min && key_closes_page(item.key, level);
  }
  return pages;
}

std::vector<Pages> page_levels(const std::vector<PageItem>& items, Bug bug) {
  std::vector<Pages> levels{page_cut(items, 0, bug)};
  while (levels.back().size() > 1) {
    std::vector<PageItem> index;
    for (const auto& page : levels.back()) {
      PageItem item;
      item.key = page.back().key;
      item.entries = 0;
      for (const PageItem& below : page) {
        item.entries += below.entries;
        item.subdirectories += below.subdirectories;
      }
      item.bytes = string_bytes(item.key.size()) + 32 + varint_bytes(item.entries) +
                   varint_bytes(item.subdirectories) + 1;
      index.push_back(item);
    }
    levels.push_back(page_cut(index, static_cast<unsigned>(levels.size()), bug));
  }
  return levels;
}

std::vector<PageItem> directory_items(const Node& directory) {
  std::vector<PageItem> items;
  for (const auto& [name, child] : directory.children) {
    items.push_back({name, entry_bytes(name, child), 1, child.is_directory() ? 1U : 0U});
  }
  return items;
}

std::uint64_t entry_bytes(const std::string& name, const Node& node) {
  std::uint64_t bytes = string_bytes(name.size()) + 1 + 1;  // kind and flags, all below 128
  if (node.is_whiteout()) return bytes;
  bytes += varint_bytes(node.mode) + varint_bytes(node.uid) + varint_bytes(node.gid) +
           zigzag_bytes(node.mtime_s) + varint_bytes(node.mtime_ns) + (node.file_id ? 16 : 0) +
           xattr_bytes(node);
  switch (node.kind) {
    case Kind::kFile:
      return bytes + varint_bytes(node.content.size) + (node.content.size > 0 ? 32 : 0);
    case Kind::kSymlink:
      return bytes + string_bytes(node.target.size());
    case Kind::kDirectory:
      return bytes + 32 + varint_bytes(subdirectories_of(node));
    case Kind::kCharDevice:
    case Kind::kBlockDevice:
      return bytes + varint_bytes(node.device_major) + varint_bytes(node.device_minor);
    default:
      return bytes;
  }
}

}  // namespace satchel::model
