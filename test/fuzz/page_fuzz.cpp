// Directory and link pages of any bytes: what is accepted encodes to the very bytes that it came
// from, and the walks over trees bear a tree with that page in it.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/diff.h"
#include "store/links.h"
#include "store/split.h"
#include "store/stack.h"

namespace {

using satchel::Bytes;
using satchel::Result;
namespace store = satchel::store;

/// Each of them may refuse: pages that it names are not there, or it is no whole list.
void walk(store::TreeStore& trees, const store::Root& root) {
  const auto accept = [](const auto&...) { return Result<void>(); };
  const auto area_of = [](const auto& path, store::Kind /*kind*/) {
    return static_cast<store::Area>(path.text().size() % store::kAreas);
  };
  (void)store::walk_tree(trees, root, accept);
  (void)store::walk_changes(trees, root, store::empty_tree(), accept);
  (void)store::diff(trees, store::empty_tree(), root);
  (void)store::stack(trees, root, root);
  if (const auto tree = store::flatten(trees, root)) {
    SATCHEL_ASSERT(tree->is_tree());
    // Nothing that claims to be a tree may hold a mark.
    (void)store::walk_tree(trees, *tree, [](const auto&, const store::Entry& entry) {
      SATCHEL_ASSERT(!entry.is_whiteout());
      return Result<void>();
    });
  }
  if (const auto parts = store::split(trees, root, area_of)) (void)store::join(trees, *parts);
}

void check_directory_page(Bytes bytes) {
  const auto page = store::decode_directory_page(bytes);
  if (!page) return;
  SATCHEL_ASSERT(std::ranges::equal(store::encode_page(*page), bytes));
  store::MemoryTreeStore trees;
  store::Root root = store::empty_layer();
  root.directory.page = *trees.put_page(*page);
  for (const bool marked : {false, true}) {
    root.directory.marked_below = marked;
    root.directory.subdirectories =
        static_cast<std::uint64_t>(std::ranges::count_if(page->items, &store::Entry::is_directory));
    walk(trees, root);
  }
}

void check_link_page(Bytes bytes) {
  const auto page = store::decode_link_page(bytes);
  if (!page) return;
  SATCHEL_ASSERT(std::ranges::equal(store::encode_page(*page), bytes));
  store::MemoryTreeStore trees;
  const store::PageId id = *trees.put_page(*page);
  (void)store::list_links(trees, id);
  store::Root root = store::empty_layer();
  root.links = id;
  (void)store::flatten(trees, root);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  check_directory_page(bytes);
  check_link_page(bytes);
  return 0;
}
