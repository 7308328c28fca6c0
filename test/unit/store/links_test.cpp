#include "store/links.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "test/support/counting_tree_store.h"
#include "test/support/seeded_random.h"

namespace satchel::store {
namespace {

FileId id_of(std::uint64_t number) {
  FileId id;
  id.bytes[0] = static_cast<std::byte>(number >> 8U);
  id.bytes[1] = static_cast<std::byte>(number);
  return id;
}

PageId build(TreeStore& trees, const std::set<LinkItem>& items) {
  // Any order will do.
  const auto table = build_links(trees, {items.rbegin(), items.rend()});
  REQUIRE(table);
  return *table;
}

TEST_SUITE("store/links") {
  TEST_CASE("a table without links is no table") {
    test::CountingTreeStore trees;
    CHECK(build(trees, {}).is_none());
    CHECK(find_links(trees, PageId{}, id_of(1))->empty());
    CHECK(list_links(trees, PageId{})->empty());
    const LinkItem item{id_of(1), "a"};
    CHECK(edit_links(trees, build(trees, {item}), {item}, {})->is_none());
    CHECK(*edit_links(trees, PageId{}, {item}, {item}) == build(trees, {item}));
  }

  TEST_CASE("one file's names are found without the others") {
    test::CountingTreeStore trees;
    std::set<LinkItem> items;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      items.insert({id_of(i), "z"});
      items.insert({id_of(i), "dir/a"});
    }
    const PageId table = build(trees, items);
    const std::uint64_t before = trees.link_pages_read();
    CHECK(*find_links(trees, table, id_of(12'345)) == std::vector<std::string>{"dir/a", "z"});
    CHECK(find_links(trees, table, id_of(20'000))->empty());
    CHECK(trees.link_pages_read() - before <= 8);
    CHECK(*list_links(trees, table) == std::vector<LinkItem>{items.begin(), items.end()});
  }

  TEST_CASE("editing a table gives what building it anew gives") {
    const std::uint64_t seed = test::test_seed(3);
    MESSAGE("seed " << seed);
    test::SeededRandom random(seed);
    test::CountingTreeStore trees;
    std::set<LinkItem> items;
    const auto random_item = [&] {
      return LinkItem{id_of(random.below(500)), std::string(1 + random.below(300), 'p')};
    };
    PageId table;
    for (int round = 0; round < 200; ++round) {
      std::set<LinkItem> removed;
      std::set<LinkItem> added;
      for (std::uint64_t i = random.below(20); i > 0; --i) removed.insert(random_item());
      for (std::uint64_t i = random.below(30); i > 0; --i) added.insert(random_item());
      for (const LinkItem& item : removed) items.erase(item);
      items.insert(added.begin(), added.end());
      const auto edited = edit_links(trees, table, removed, added);
      REQUIRE(edited);
      table = *edited;
      REQUIRE(table == build(trees, items));
    }
  }

  TEST_CASE("a path beyond the format's limit is refused") {
    MemoryTreeStore trees;
    const LinkItem longest{id_of(1), std::string(kLinkPathBytesMax, 'p')};
    const LinkItem too_long{id_of(1), std::string(kLinkPathBytesMax + 1, 'p')};
    CHECK(build_links(trees, {longest}));
    CHECK(build_links(trees, {too_long}).error().sat == Sat::kLimit);
    CHECK(edit_links(trees, PageId{}, {}, {too_long}).error().sat == Sat::kLimit);
  }
}

}  // namespace
}  // namespace satchel::store
