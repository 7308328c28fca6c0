// Small parts of a round: conflicts tree, delete brake, publishing, local trees.
#include <doctest/doctest.h>

#include <string>

#include "store/diff.h"
#include "store/directory.h"
#include "syncer/conflicts_tree.h"
#include "syncer/delete_brake.h"
#include "syncer/edit_tree.h"
#include "syncer/local_tree_store.h"
#include "syncer/publish.h"
#include "test/unit/syncer/world.h"

namespace satchel::syncer {
namespace {

using store::Root;
using test::MemoryUpper;

RelativePath path_of(const std::string& text) {
  return need(RelativePath::parse(text));
}

Root tree_of_files(store::TreeStore& trees, int count, const std::string& prefix = "f") {
  MemoryUpper view(trees, need(trees.put_root(store::empty_tree())), 0);
  view.make_directory("d");
  for (int i = 0; i < count; ++i) {
    view.write("d/" + prefix + std::to_string(i), std::to_string(i));
  }
  return view.build_tree(trees);
}

TEST_SUITE("syncer/conflicts_tree") {
  TEST_CASE("a time is written as RFC 3339 says") {
    CHECK(to_rfc3339({.seconds = 0, .nanoseconds = 5}) == "1970-01-01T00:00:00Z");
    CHECK(to_rfc3339({.seconds = 1'700'000'000, .nanoseconds = 0}) == "2023-11-14T22:13:20Z");
  }

  TEST_CASE("losers of one machine in one second stand side by side") {
    store::MemoryTreeStore trees;
    const LosersOf round{"desk", {.seconds = 1'700'000'000, .nanoseconds = 0}};
    const Root losers = tree_of_files(trees, 1);
    const auto first = need(update_conflicts_tree(trees, {}, losers, round));
    const auto second = need(update_conflicts_tree(trees, first, losers, round));
    const Root tree = need(trees.get_root(second));
    CHECK(need(store::find_path(trees, tree, path_of("desk-2023-11-14T22:13:20Z/d/f0"))));
    CHECK(need(store::find_path(trees, tree, path_of("desk-2-2023-11-14T22:13:20Z/d/f0"))));
  }

  TEST_CASE("no losers and nothing old: the same tree, or none") {
    store::MemoryTreeStore trees;
    const LosersOf round{"desk", {.seconds = 1'700'000'000, .nanoseconds = 0}};
    CHECK(need(update_conflicts_tree(trees, {}, store::empty_tree(), round)).is_none());
    const auto first = need(update_conflicts_tree(trees, {}, tree_of_files(trees, 1), round));
    CHECK(need(update_conflicts_tree(trees, first, store::empty_tree(), round)) == first);
  }

  TEST_CASE("losers are copies: no links and no ids are kept") {
    store::MemoryTreeStore trees;
    MemoryUpper view(trees, need(trees.put_root(store::empty_tree())), 0);
    view.write("a", "x");
    view.link("a", "b");
    const LosersOf round{"desk", {.seconds = 1'700'000'000, .nanoseconds = 0}};
    const auto id = need(update_conflicts_tree(trees, {}, view.build_tree(trees), round));
    const Root tree = need(trees.get_root(id));
    CHECK(tree.links.is_none());
    const auto entry = need(store::find_path(trees, tree, path_of("desk-2023-11-14T22:13:20Z/a")));
    REQUIRE(entry.has_value());
    CHECK(!entry->linked);
    CHECK(!entry->file_id.has_value());
  }
}

TEST_SUITE("syncer/delete_brake") {
  TEST_CASE("the brake stops what deletes more than both of its limits") {
    struct Row {
      int before, after;
      DeleteBrake brake;
      bool passes;
    };
    const Row rows[] = {
        {60, 60, {}, true},      {60, 10, {}, true},      {60, 9, {}, false},
        {1000, 900, {}, true},   {1000, 800, {}, true},   {1000, 799, {}, false},
        {1000, 0, {}, false},    {50, 0, {}, true},       {10, 0, {0, 20}, false},
        {10, 8, {0, 20}, true},  {10, 7, {0, 20}, false}, {60, 0, {60, 0}, true},
        {60, 0, {59, 0}, false}, {60, 0, {0, 100}, true},
    };
    store::MemoryTreeStore trees;
    for (const Row& row : rows) {
      CAPTURE(row.before);
      CAPTURE(row.after);
      const auto checked = check_delete_brake(trees, tree_of_files(trees, row.before),
                                              tree_of_files(trees, row.after), row.brake, "x");
      CHECK(checked.has_value() == row.passes);
      if (!checked) CHECK(checked.error().sat == Sat::kDeleteBrake);
    }
  }

  TEST_CASE("what has another name now was not deleted") {
    store::MemoryTreeStore trees;
    CHECK(check_delete_brake(trees, tree_of_files(trees, 100, "old"),
                             tree_of_files(trees, 100, "new"), {}, "x")
              .has_value());
  }
}

TEST_SUITE("syncer/edit_tree") {
  TEST_CASE("entries are put at their paths, below directories that are there") {
    store::MemoryTreeStore trees;
    const Root tree = tree_of_files(trees, 3);
    TreeEdits edits;
    CHECK(edits.is_empty());
    store::Entry file;
    file.content.size = 7;
    edits.set(path_of("d/f1"), file);
    edits.set(path_of("d/new"), file);
    edits.set(path_of("no/where"), file);
    store::Entry directory;
    directory.kind = store::Kind::kDirectory;
    directory.attributes.mode = 0700;
    edits.set(path_of("d"), directory);
    const Root edited = need(edit_tree(trees, tree, edits));
    CHECK(need(store::find_path(trees, edited, path_of("d/f1")))->content.size == 7);
    CHECK(need(store::find_path(trees, edited, path_of("d/new"))).has_value());
    CHECK(need(store::find_path(trees, edited, path_of("d/f2"))).has_value());
    CHECK(!need(store::find_path(trees, edited, path_of("no"))).has_value());
    CHECK(need(store::find_path(trees, edited, path_of("d")))->attributes.mode == 0700);
  }

  TEST_CASE("where a whiteout is put nothing is, nor below") {
    store::MemoryTreeStore trees;
    const Root tree = tree_of_files(trees, 3);
    TreeEdits edits;
    for (const char* const path : {"d/f1", "d/not-there", "not/there"}) {
      edits.set(path_of(path), store::Entry::whiteout(path_of(path).name()));
    }
    const Root edited = need(edit_tree(trees, tree, edits));
    CHECK(!need(store::find_path(trees, edited, path_of("d/f1"))).has_value());
    CHECK(need(store::find_path(trees, edited, path_of("d/f2"))).has_value());
    TreeEdits all;
    all.set(path_of("d/f2"), store::Entry());
    all.set(path_of("d"), store::Entry::whiteout(path_of("d").name()));
    CHECK(need(edit_tree(trees, edited, all)) == store::empty_tree());
  }
}

TEST_SUITE("syncer/local_tree_store") {
  TEST_CASE("what is put stays on the device and can be read back") {
    World world;
    MemoryCache cache;
    store::RepositoryTreeStore trees(world.repository(), &cache, nullptr);
    LocalTreeStore local(trees, cache);
    const std::uint64_t before = world.pack_bytes();
    const Root tree = tree_of_files(local, 300);
    const store::RootId id = need(local.put_root(tree));
    CHECK(local.pages_encoded() > 0);
    CHECK(need(trees.get_root(id)) == tree);
    std::uint64_t files = 0;
    need(store::walk_tree(trees, tree,
                          [&](const RelativePath&, const store::Entry&) -> Result<void> {
                            ++files;
                            return {};
                          }));
    CHECK(files == 301);
    CHECK(world.pack_bytes() == before);
    store::RepositoryTreeStore elsewhere(world.repository(), nullptr, nullptr);
    CHECK(!elsewhere.get_root(id).has_value());
  }
}

TEST_SUITE("syncer/publish") {
  TEST_CASE("the same layer and image again commit nothing") {
    World world;
    CHECK(world.add_image("lab", make_small_system) == 1);
    CHECK(world.add_image("lab", [](MemoryUpper& view) { view.write("x", "y"); }) == 2);
  }

  TEST_CASE("a workspace is made once, and on an image that is there") {
    World world;
    world.add_workspace("ada");
    const auto user = need(store::RefName::user("ada"));
    const auto other = need(store::RefName::user("bob"));
    const auto image = need(store::RefName::image("lab"));
    const auto again = publish_workspace(world.repository(), user, {image, 1});
    REQUIRE(!again.has_value());
    CHECK(again.error().sat == Sat::kAlreadyExists);
    const auto missing = publish_workspace(world.repository(), other, {image, 9});
    REQUIRE(!missing.has_value());
    CHECK(missing.error().sat == Sat::kNotFound);
  }
}

}  // namespace
}  // namespace satchel::syncer
