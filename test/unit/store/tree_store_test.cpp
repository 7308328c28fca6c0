#include "store/tree_store.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "test/support/large_tree.h"

namespace satchel::store {
namespace {

DirectoryPage page_with(std::string_view name) {
  DirectoryPage page;
  page.items.push_back(test::make_file(name));
  return page;
}

TEST_SUITE("store/tree_store") {
  TEST_CASE("what was put is there, and counted once") {
    MemoryTreeStore trees;
    const PageId id = *trees.put_page(page_with("a"));
    CHECK(trees.pages_encoded() == 1);
    CHECK(*trees.put_page(page_with("a")) == id);
    CHECK(trees.pages_encoded() == 1);
    CHECK((*trees.get_directory_page(id))->items == page_with("a").items);

    LinkPage links;
    links.items = {{root_file_id(), "a"}};
    const PageId links_id = *trees.put_page(links);
    CHECK(trees.pages_encoded() == 2);
    CHECK((*trees.get_link_page(links_id))->items == links.items);

    Root root = empty_tree();
    root.directory.page = id;
    CHECK(*trees.put_root(root) == root_id(root));
    CHECK((*trees.get_root(root_id(root)) == root));
  }

  TEST_CASE("the empty pages are known without being put") {
    MemoryTreeStore trees;
    CHECK((*trees.get_directory_page(empty_directory_page()))->items.empty());
    CHECK((*trees.get_link_page(empty_link_page()))->items.empty());
    CHECK(*trees.put_page(DirectoryPage{}) == empty_directory_page());
    CHECK(trees.pages_encoded() == 0);
  }

  TEST_CASE("what is not there is missing content") {
    MemoryTreeStore trees;
    CHECK(trees.get_directory_page(PageId{}).error().sat == Sat::kMissingContent);
    CHECK(trees.get_link_page(empty_directory_page()).error().sat == Sat::kMissingContent);
    CHECK(trees.get_xattrs(XattrSetId{}).error().sat == Sat::kMissingContent);
    CHECK(trees.get_root(RootId{}).error().code == ENOENT);
  }

  TEST_CASE("a root record decodes to itself, and to nothing else") {
    Root full = empty_layer();
    full.attributes.xattrs.inline_set = encode_xattrs({{"user.a", "1"}});
    full.attributes.mtime = {-5, 7};
    full.directory.subdirectories = 3;
    full.directory.marked_below = true;
    full.links.bytes[0] = std::byte{9};
    for (const Root& root : {full, empty_tree(), empty_layer()}) {
      std::vector<std::byte> bytes = encode_root(root);
      const Result<Root> decoded = decode_root(bytes);
      REQUIRE(decoded);
      CHECK((*decoded == root));
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK_FALSE(decode_root(Bytes(bytes).first(size)));
      }
      bytes.push_back(std::byte{0});
      CHECK_FALSE(decode_root(bytes));
    }
    std::vector<std::byte> linked_root = encode_root(empty_tree());
    linked_root[4] = std::byte{2};
    CHECK(decode_root(linked_root).error().sat == Sat::kNewerFormat);
    Root no_links = empty_tree();
    no_links.links = empty_link_page();
    CHECK(decode_root(encode_root(no_links)).error().sat == Sat::kContradiction);
  }

  TEST_CASE("threads may share a store") {
    MemoryTreeStore trees;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&trees] {
        for (int i = 0; i < 500; ++i) {
          const auto id = trees.put_page(page_with("n" + std::to_string(i)));
          if (id) (void)trees.get_directory_page(*id);  // what it holds is checked below
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(trees.pages_encoded() == 500);
    CHECK((*trees.get_directory_page(*trees.put_page(page_with("n7"))))->items.size() == 1);
  }
}

}  // namespace
}  // namespace satchel::store
