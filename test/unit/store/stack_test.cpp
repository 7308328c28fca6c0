#include "store/stack.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "store/directory.h"
#include "store/links.h"
#include "test/support/counting_tree_store.h"
#include "test/support/large_tree.h"
#include "test/support/tree_text.h"

namespace satchel::store {
namespace {

using test::Cost;
using test::CountingTreeStore;
using test::Lines;
using test::lines_of;
using test::make_layer;
using test::make_tree;

template <typename T>
T value_of(Result<T> result) {
  REQUIRE_MESSAGE(result.has_value(), to_text(result.error()));
  return *std::move(result);
}

TEST_SUITE("store/stack") {
  TEST_CASE("two layers, and what each pair of names becomes") {
    struct Row {
      std::string what;
      Lines lower, upper, expected;
    };
    const Row rows[] = {
        {"only below", {"a =1"}, {}, {"a =1"}},
        {"only above", {}, {"a =1"}, {"a =1"}},
        {"a file over a file", {"a =1"}, {"a =2"}, {"a =2"}},
        {"a whiteout over a file", {"a =1"}, {"a whiteout"}, {"a whiteout"}},
        {"a whiteout over nothing", {}, {"a whiteout"}, {"a whiteout"}},
        {"a file over a whiteout", {"a whiteout"}, {"a =1"}, {"a =1"}},
        {"a whiteout over a directory", {"d/f =1"}, {"d whiteout"}, {"d whiteout"}},
        {"directories merge",
         {"d/ mode=700", "d/a =1"},
         {"d/ mode=711", "d/b =2"},
         {"d/ mode=711", "d/a =1", "d/b =2"}},
        {"one that inherits keeps the lower's attributes",
         {"d/ mode=700", "d/a"},
         {"d/b"},
         {"d/ mode=700", "d/a", "d/b"}},
        {"two that inherit still do",
         {"d/ inherit mode=700", "d/a"},
         {"d/b"},
         {"d/ inherit mode=700", "d/a", "d/b"}},
        {"the lower's identity stays",
         {"d/ id=x", "d/a"},
         {"d/ id=y mode=700", "d/b"},
         {"d/ id=x mode=700", "d/a", "d/b"}},
        {"a directory over a file hides it",
         {"d =1"},
         {"d/f =2", "d/gone whiteout", "d/e/g"},
         {"d/ opaque", "d/f =2", "d/e/ plain", "d/e/g"}},
        {"a directory over a whiteout does too",
         {"d whiteout"},
         {"d/ mode=700", "d/f"},
         {"d/ opaque mode=700", "d/f"}},
        {"an opaque directory hides", {"d/a", "d/e/b"}, {"d/ opaque", "d/c"}, {"d/ opaque", "d/c"}},
        {"opaque below stays opaque",
         {"d/ opaque", "d/a"},
         {"d/a whiteout", "d/b", "d/x whiteout"},
         {"d/ opaque", "d/b"}},
        {"inside of opaque nothing is marked",
         {"d/ opaque", "d/e/ plain", "d/e/a"},
         {"d/e/ opaque", "d/e/b", "d/n/c", "d/n/w whiteout"},
         {"d/ opaque", "d/e/ plain", "d/e/b", "d/n/ plain", "d/n/c"}},
        {"a file over a directory", {"d/a"}, {"d =1"}, {"d =1"}},
        {"the upper's root", {"/ mode=700", "a"}, {"/ mode=711", "b"}, {"/ mode=711", "a", "b"}},
        {"the upper's root inherits", {"/ mode=700", "a"}, {"b"}, {"/ mode=700", "a", "b"}},
        {"an opaque root hides all", {"a", "b"}, {"/ opaque", "c"}, {"/ opaque", "c"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Root result =
          value_of(stack(trees, make_layer(trees, row.lower), make_layer(trees, row.upper)));
      const Root expected = make_layer(trees, row.expected);
      CHECK(lines_of(trees, result) == lines_of(trees, expected));
      CHECK((result == expected));
    }
  }

  TEST_CASE("flatten drops marks and puts links right") {
    struct Row {
      std::string what;
      Lines layer, expected;
    };
    const Row rows[] = {
        {"nothing", {}, {}},
        {"marks",
         {"a whiteout", "d/ opaque", "d/f", "e/ inherit mode=700", "e/w whiteout"},
         {"d/", "d/f", "e/ mode=700"}},
        {"links that agree",
         {"a =1 id=x linked", "b =1 id=x linked"},
         {"a =1 id=x linked", "b =1 id=x linked"}},
        {"a link alone", {"a =1 id=x linked"}, {"a =1 id=x"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Root result = value_of(flatten(trees, make_layer(trees, row.layer)));
      CHECK(lines_of(trees, result) == lines_of(trees, make_tree(trees, row.expected)));
    }
  }

  TEST_CASE("names of one linked file that differ part ways") {
    CountingTreeStore trees;
    const Root layer =
        make_layer(trees, {"a =1 id=x linked", "b =2 id=x linked", "c =1 id=x linked",
                           "d =2 id=x linked", "e =3 id=x linked"});
    const Root tree = value_of(flatten(trees, layer));
    const auto find = [&](std::string_view path) {
      return value_of(find_path(trees, tree, *RelativePath::parse(path))).value();
    };
    CHECK(find("a").file_id == find("c").file_id);
    CHECK(find("b").file_id == find("d").file_id);
    CHECK(find("a").file_id != find("b").file_id);
    CHECK(find("e").file_id != find("b").file_id);
    CHECK((find("a").linked && find("b").linked && !find("e").linked));
    CHECK(value_of(find_links(trees, tree.links, *find("b").file_id)) ==
          std::vector<std::string>{"b", "d"});
    CHECK((value_of(flatten(trees, tree)) == tree));
  }

  TEST_CASE("links follow what a layer hides and adds") {
    struct Row {
      std::string what;
      Lines tree, layer, expected;
    };
    const Lines two = {"a =1 id=x linked", "d/b =1 id=x linked"};
    const Row rows[] = {
        {"one name goes", two, {"a whiteout"}, {"d/b =1 id=x"}},
        {"its directory goes", two, {"d whiteout"}, {"a =1 id=x"}},
        {"its directory is replaced", two, {"d/ opaque", "d/c"}, {"a =1 id=x", "d/c"}},
        {"its directory becomes a file", two, {"d =2"}, {"a =1 id=x", "d =2"}},
        {"a third name comes",
         two,
         {"c =1 id=x linked"},
         {"a =1 id=x linked", "c =1 id=x linked", "d/b =1 id=x linked"}},
        {"all names change",
         two,
         {"a =2 id=x linked", "d/b =2 id=x linked"},
         {"a =2 id=x linked", "d/b =2 id=x linked"}},
        {"two layers' names meet",
         {"a =1 id=x"},
         {"b =2 id=y linked", "e/c =2 id=y linked"},
         {"a =1 id=x", "b =2 id=y linked", "e/ mode=755", "e/c =2 id=y linked"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Root tree = make_tree(trees, row.tree);
      const Root layer = make_layer(trees, row.layer);
      const Root result = value_of(compose_onto(trees, tree, std::vector{layer}));
      CHECK(lines_of(trees, result) == lines_of(trees, make_tree(trees, row.expected)));
      CHECK((value_of(compose(trees, std::vector{tree, layer})) == result));
    }
  }

  TEST_CASE("a small layer on a large tree costs a few pages") {
    CountingTreeStore trees;
    const Root tree = test::make_wide_tree(trees, 100, 1000);
    const Root layer = make_layer(
        trees, {"d0050/f0500 =new", "d0099/f0001 whiteout", "d0007 whiteout", "new/file"});
    const Cost cost(trees);
    const Root result = value_of(compose_onto(trees, tree, std::vector{layer}));
    CHECK(cost.pages_read() <= 30);
    CHECK(cost.pages_encoded() <= 10);
    CHECK(value_of(find_path(trees, result, *RelativePath::parse("d0050/f0500")))->content.size ==
          3);
  }

  TEST_CASE("a large layer beside a small one is taken over unread") {
    CountingTreeStore trees;
    Root large = test::make_wide_tree(trees, 100, 1000);
    const Root small = make_layer(trees, {"zz =1", "d0033/zz =2"});
    for (const bool large_is_upper : {false, true}) {
      CAPTURE(large_is_upper);
      const Cost cost(trees);
      const Root& lower = large_is_upper ? small : large;
      const Root& upper = large_is_upper ? large : small;
      CHECK(stack(trees, lower, upper));
      CHECK(cost.pages_read() <= 30);
      CHECK(cost.pages_encoded() <= 6);
    }
  }

  TEST_CASE("flatten enters only what is marked") {
    CountingTreeStore trees;
    const Root wide = test::make_wide_tree(trees, 100, 1000);
    Entry gone = Entry::whiteout(Name::checked("gone"));
    const Root layer = test::with_entry(trees, wide, "d0050", gone);
    const Cost cost(trees);
    CHECK((value_of(flatten(trees, layer)) == wide));
    CHECK(cost.pages_read() <= 25);
    CHECK(cost.pages_encoded() == 0);
  }

  TEST_CASE("depth is limited, not the thread's stack") {
    MemoryTreeStore trees;
    const Entry gone = Entry::whiteout(Name::checked("gone"));
    for (const unsigned depth : {4000U, 5000U}) {
      CAPTURE(depth);
      const Root deep = test::make_deep_tree(trees, depth, gone);
      const Root other = test::make_deep_tree(trees, depth, test::make_file("a"));
      const Result<Root> flat = flatten(trees, deep);
      const Result<Root> stacked = stack(trees, deep, other);
      CHECK(flat.has_value() == (depth < 4096));
      CHECK(stacked.has_value() == (depth < 4096));
      if (!stacked) CHECK(stacked.error().sat == Sat::kLimit);
    }
  }

  TEST_CASE("marks where none can be are refused") {
    MemoryTreeStore trees;
    const Root tree = make_tree(trees, {"a"});
    Root lying = make_layer(trees, {"gone whiteout"});
    lying.mark = DirectoryMark::kNone;
    lying.directory.marked_below = false;
    const Result<Root> result = compose_onto(trees, lying, std::vector{make_layer(trees, {"b"})});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == EUCLEAN);
    CHECK(compose_onto(trees, tree, std::vector{make_layer(trees, {"b"})}));
  }

  TEST_CASE("a page that is missing is named") {
    MemoryTreeStore trees;
    MemoryTreeStore empty;
    const Result<Root> result = flatten(empty, make_layer(trees, {"d/w whiteout"}));
    REQUIRE_FALSE(result);
    CHECK(result.error().sat == Sat::kMissingContent);
    CHECK(result.error().code == ENOENT);
  }
}

}  // namespace
}  // namespace satchel::store
