#include "store/diff.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "store/stack.h"
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

/// "added a", "modified d/b", … in the order of the walk.
Lines changes_between(TreeStore& trees, const Root& first, const Root& second) {
  static const std::string kKinds[] = {"added", "removed", "modified", "type changed",
                                       "attributes"};
  Lines lines;
  REQUIRE(walk_changes(trees, first, second, [&](const Change& change) {
    lines.push_back(kKinds[static_cast<std::size_t>(change.kind)] + " " + change.path.absolute());
    return Result<void>();
  }));
  return lines;
}

TEST_SUITE("store/diff") {
  TEST_CASE("what turns one tree into another, and only that") {
    struct Row {
      std::string what;
      Lines below, tree, expected;
    };
    const Row rows[] = {
        {"a name comes", {"a"}, {"a", "b =1"}, {"b =1"}},
        {"a name goes", {"a", "b"}, {"a"}, {"b whiteout"}},
        {"a file changes deep down",
         {"d/e/f =1", "d/g"},
         {"d/e/f =2", "d/g"},
         {"d/ inherit", "d/e/ inherit", "d/e/f =2"}},
        {"only the time", {"a =1 mtime=1"}, {"a =1 mtime=2"}, {"a =1 mtime=2"}},
        {"a directory's mode", {"d/ mode=700", "d/f"}, {"d/ mode=711", "d/f"}, {"d/ mode=711"}},
        {"a directory comes with all in it",
         {},
         {"d/ mode=700", "d/e/f"},
         {"d/ mode=700", "d/e/ plain", "d/e/f"}},
        {"a directory is replaced",
         {"d/ id=x", "d/f"},
         {"d/ id=y", "d/f"},
         {"d/ opaque id=y", "d/f"}},
        {"a file becomes a directory", {"d =1"}, {"d/f"}, {"d/ plain", "d/f"}},
        {"a directory becomes a file", {"d/f"}, {"d =1"}, {"d =1"}},
        {"the root's mode", {"a"}, {"/ mode=700", "a"}, {"/ mode=700"}},
        {"a way carries the tree's attributes",
         {"d/ mode=700 uid=5", "d/f"},
         {"d/ mode=700 uid=5"},
         {"d/ inherit mode=700 uid=5", "d/f whiteout"}},
        {"a link comes",
         {"a =1 id=x"},
         {"a =1 id=x linked", "b =1 id=x linked"},
         {"a =1 id=x linked", "b =1 id=x linked"}},
        {"a third link comes",
         {"a id=x linked", "b id=x linked"},
         {"a id=x linked", "b id=x linked", "d/c id=x linked"},
         {"d/ plain", "d/c id=x linked"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Root below = make_tree(trees, row.below);
      const Root tree = make_tree(trees, row.tree);
      const Root layer = value_of(diff(trees, below, tree));
      CHECK(lines_of(trees, layer) == lines_of(trees, make_layer(trees, row.expected)));
      CHECK((value_of(compose(trees, std::vector{below, layer})) == tree));
      CHECK((value_of(diff(trees, tree, tree)) == empty_layer()));
    }
  }

  TEST_CASE("one change in a hundred thousand files costs a few pages") {
    CountingTreeStore trees;
    const Root below = test::make_wide_tree(trees, 100, 1000);
    const Root tree = test::with_entry(trees, below, "d0042", test::make_file("f0500", 7));
    const Cost cost(trees);
    const Root layer = value_of(diff(trees, below, tree));
    CHECK(cost.pages_read() <= 12);
    CHECK(cost.pages_encoded() == 2);
    const Cost back(trees);
    CHECK((value_of(compose_onto(trees, below, std::vector{layer})) == tree));
    CHECK(back.pages_read() <= 12);
    CHECK(back.pages_encoded() == 0);
    const Cost walk(trees);
    CHECK(changes_between(trees, below, tree) == Lines{"modified /d0042/f0500"});
    CHECK(walk.pages_read() <= 12);
  }

  TEST_CASE("only trees have a difference") {
    MemoryTreeStore trees;
    const Root tree = make_tree(trees, {"a"});
    for (const Root& layer : {make_layer(trees, {"a"}), make_layer(trees, {"/", "a whiteout"})}) {
      CHECK_FALSE(diff(trees, tree, layer));
      CHECK_FALSE(diff(trees, layer, tree));
    }
    // A record that says less than its pages.
    Root lying = make_layer(trees, {"/", "w whiteout"});
    lying.directory.marked_below = false;
    const Result<Root> result = diff(trees, tree, lying);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == EUCLEAN);
  }

  TEST_CASE("changes are told by kind, parents first, in order of name") {
    CountingTreeStore trees;
    const Root first = make_tree(
        trees, {"a =1", "b =1", "c/x", "c/y/z", "d/ mode=700", "d/f", "e =1", "k =1", "l ->a"});
    const Root second = make_tree(
        trees, {"a =2", "b =1 mode=600", "d/ mode=711", "d/f", "d/g", "e/h", "k =1", "l ->b", "n"});
    CHECK(changes_between(trees, first, second) ==
          Lines{"modified /a", "attributes /b", "removed /c", "removed /c/x", "removed /c/y",
                "removed /c/y/z", "attributes /d", "added /d/g", "type changed /e", "added /e/h",
                "modified /l", "added /n"});
    CHECK(changes_between(trees, first, first).empty());
    CHECK(changes_between(trees, first, make_tree(trees, {"/ mode=700"})).front() ==
          "attributes /");
  }

  TEST_CASE("a visitor's error ends a walk") {
    MemoryTreeStore trees;
    const Root tree = make_tree(trees, {"a", "b/c"});
    const auto refuse = [](const auto&...) { return Result<void>(Error{.code = EINTR}); };
    CHECK(walk_tree(trees, tree, refuse).error().code == EINTR);
    CHECK(walk_changes(trees, tree, empty_tree(), refuse).error().code == EINTR);
  }

  TEST_CASE("walks go as deep as the limit and no deeper") {
    MemoryTreeStore trees;
    const auto accept = [](const auto&...) { return Result<void>(); };
    for (const unsigned depth : {4000U, 5000U}) {
      CAPTURE(depth);
      const Root deep = test::make_deep_tree(trees, depth, test::make_file("a"));
      const Root changed = test::make_deep_tree(trees, depth, test::make_file("a", 1));
      CHECK(walk_tree(trees, deep, accept).has_value() == (depth < 4096));
      CHECK(walk_changes(trees, deep, changed, accept).has_value() == (depth < 4096));
      CHECK(diff(trees, deep, changed).has_value() == (depth < 4096));
    }
  }
}

}  // namespace
}  // namespace satchel::store
