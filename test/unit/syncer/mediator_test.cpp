#include "syncer/mediator.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "store/diff.h"
#include "store/directory.h"
#include "store/stack.h"
#include "test/support/counting_tree_store.h"
#include "test/support/large_tree.h"
#include "test/support/tree_text.h"

namespace satchel::syncer {
namespace {

using store::Root;
using test::Cost;
using test::CountingTreeStore;
using test::Lines;
using test::lines_of;
using test::make_tree;

template <typename T>
T value_of(Result<T> result) {
  REQUIRE_MESSAGE(result.has_value(), to_text(result.error()));
  return *std::move(result);
}

/// "content /a (client)": kind, path, who lost.
Lines conflicts_of(const Mediation& mediation) {
  Lines lines;
  for (const Conflict& conflict : mediation.conflicts) {
    std::ostringstream line;
    line << conflict;
    lines.push_back(line.str());
  }
  return lines;
}

TEST_SUITE("syncer/mediator") {
  // One row per thing that can happen to a name while the two sides are apart. The server is live.
  TEST_CASE("one name, every combination of what happened on each side") {
    struct Row {
      std::string what;
      Lines base, client, server, merged, conflicts, losers;
    };
    const Row rows[] = {
        {"nobody touched it", {"a =1"}, {"a =1"}, {"a =1", "z"}, {"a =1", "z"}, {}, {}},
        {"edited offline", {"a =1"}, {"a =2"}, {"a =1", "z"}, {"a =2", "z"}, {}, {}},
        {"edited on the server", {"a =1"}, {"a =1", "z"}, {"a =2"}, {"a =2", "z"}, {}, {}},
        {"deleted on the server", {"a =1"}, {"a =1", "z"}, {}, {"z"}, {}, {}},
        {"deleted on both", {"a =1"}, {"y"}, {"z"}, {"y", "z"}, {}, {}},
        {"same edit on both", {"a =1"}, {"a =2", "y"}, {"a =2", "z"}, {"a =2", "y", "z"}, {}, {}},
        {"made on both alike", {}, {"a =1", "y"}, {"a =1", "z"}, {"a =1", "y", "z"}, {}, {}},
        {"edited here, edited there",
         {"a =1"},
         {"a =2"},
         {"a =3"},
         {"a =3"},
         {"content /a (client)"},
         {"a =2"}},
        {"made on both, different",
         {},
         {"a =2"},
         {"a =3"},
         {"a =3"},
         {"content /a (client)"},
         {"a =2"}},
        {"edited here, deleted there",
         {"a =1"},
         {"a =2"},
         {},
         {"a =2"},
         {"deleted /a (server)"},
         {}},
        {"deleted here, edited there",
         {"a =1"},
         {},
         {"a =3"},
         {"a =3"},
         {"deleted /a (client)"},
         {}},
        {"a file here, a directory there",
         {},
         {"a =2"},
         {"a/f"},
         {"a/f"},
         {"kind /a (client)"},
         {"a =2"}},
        {"a directory here, a file there",
         {"a =1"},
         {"a/f =2"},
         {"a =3"},
         {"a =3"},
         {"kind /a (client)"},
         {"a/f =2"}},
        {"symlinks",
         {"a ->1"},
         {"a ->2"},
         {"a ->3"},
         {"a ->3"},
         {"content /a (client)"},
         {"a ->2"}},
        {"content here, mode there",
         {"a =1 mode=644 mtime=1"},
         {"a =2 mode=644 mtime=2"},
         {"a =1 mode=600 mtime=1"},
         {"a =2 mode=600 mtime=2"},
         {},
         {}},
        {"the time follows the content",
         {"a =1 mtime=1"},
         {"a =2 mtime=2"},
         {"a =1 mtime=9"},
         {"a =2 mtime=2"},
         {},
         {}},
        {"touched on both",
         {"a =1 mtime=1"},
         {"a =1 mtime=8"},
         {"a =1 mtime=9"},
         {"a =1 mtime=9"},
         {},
         {}},
        {"the same content saved on both",
         {"a =1 mtime=1"},
         {"a =2 mtime=9"},
         {"a =2 mtime=8"},
         {"a =2 mtime=9"},
         {},
         {}},
        {"modes that clash",
         {"a =1 mode=644"},
         {"a =2 mode=600"},
         {"a =1 mode=640"},
         {"a =2 mode=640"},
         {"attributes /a (client)"},
         {"a =2 mode=600"}},
        {"xattrs by name",
         {"a user.x=1 user.y=1"},
         {"a user.x=2 user.y=1 user.c="},
         {"a user.x=1 user.s="},
         {"a user.x=2 user.c= user.s="},
         {},
         {}},
        {"an xattr that clashes",
         {"a user.x=1"},
         {"a user.x=2"},
         {"a user.x=3"},
         {"a user.x=3"},
         {"attributes /a (client)"},
         {"a user.x=2"}},
        {"names in one directory",
         {"d/a =1"},
         {"d/a =1", "d/b"},
         {"d/a =1", "d/c"},
         {"d/a =1", "d/b", "d/c"},
         {},
         {}},
        {"a directory made on both",
         {},
         {"d/ mtime=1", "d/b"},
         {"d/ mtime=2", "d/c"},
         {"d/ mtime=2", "d/b", "d/c"},
         {},
         {}},
        {"a directory's modes that clash",
         {"d/ mode=755"},
         {"d/ mode=700", "d/b"},
         {"d/ mode=711", "d/c"},
         {"d/ mode=711", "d/b", "d/c"},
         {"attributes /d (client)"},
         {"d/ mode=700"}},
        {"a directory deleted here, edited there",
         {"d/a =1", "d/b =1"},
         {"y"},
         {"d/a =2", "d/b =1"},
         {"d/a =2", "y"},
         {"deleted /d/a (client)"},
         {}},
        {"a directory deleted here, filled there",
         {"d/a =1"},
         {"y"},
         {"d/a =1", "d/n =1"},
         {"d/n =1", "y"},
         {},
         {}},
        {"a directory deleted here, its mode changed there",
         {"d/ mode=755", "d/a =1"},
         {"y"},
         {"d/ mode=700", "d/a =1"},
         {"y"},
         {},
         {}},
        {"a directory deleted here, replaced there",
         {"d/ id=x", "d/a =1"},
         {"y"},
         {"d/ id=z"},
         {"d/ id=z", "y"},
         {"deleted /d (client)"},
         {}},
        {"a directory replaced here, edited there",
         {"d/ id=x", "d/a =1", "d/b =1"},
         {"d/ id=z", "d/c =1"},
         {"d/ id=x", "d/a =2", "d/b =1"},
         {"d/ id=z", "d/a =2", "d/c =1"},
         {"deleted /d/a (client)"},
         {}},
        {"losers deep down",
         {"d/e/a =1"},
         {"d/ mode=700", "d/e/a =2"},
         {"d/e/a =3"},
         {"d/ mode=700", "d/e/a =3"},
         {"content /d/e/a (client)"},
         {"d/ mode=700", "d/e/a =2"}},
        {"the root's mode",
         {"/ mode=755", "a"},
         {"/ mode=700", "a", "b"},
         {"/ mode=755", "a", "c"},
         {"/ mode=700", "a", "b", "c"},
         {},
         {}},
        {"the root's modes that clash",
         {"/ mode=755"},
         {"/ mode=700"},
         {"/ mode=711"},
         {"/ mode=711"},
         {"attributes / (client)"},
         {"/ mode=700"}},
        {"saved under a new file on both",
         {"a =1 id=x"},
         {"a =2 id=y"},
         {"a =2 id=z"},
         {"a =2 id=z"},
         {},
         {}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Root base = make_tree(trees, row.base);
      const Root client = make_tree(trees, row.client);
      const Root server = make_tree(trees, row.server);
      const Mediation result = value_of(mediate(trees, base, client, server, LiveSide::kServer));
      CHECK(lines_of(trees, result.merged) == lines_of(trees, make_tree(trees, row.merged)));
      CHECK(conflicts_of(result) == row.conflicts);
      CHECK(lines_of(trees, result.losers) == lines_of(trees, make_tree(trees, row.losers)));

      const Mediation mirrored = value_of(mediate(trees, base, server, client, LiveSide::kClient));
      CHECK((mirrored.merged == result.merged));
      CHECK((mirrored.losers == result.losers));
      CHECK(mirrored.conflicts.size() == result.conflicts.size());
    }
  }

  TEST_CASE("links stay links, and names that differ are none") {
    struct Row {
      std::string what;
      Lines base, client, server, merged;
    };
    const Row rows[] = {
        {"a name linked here, edited there",
         {"a =1 id=x"},
         {"a =1 id=x linked", "b =1 id=x linked"},
         {"a =2 id=x"},
         {"a =2 id=x", "b =1 id=8f05e6d0"}},
        {"a name linked on both sides",
         {"a =1 id=x"},
         {"a =1 id=x linked", "b =1 id=x linked"},
         {"a =1 id=x linked", "d/c =1 id=x linked"},
         {"a =1 id=x linked", "b =1 id=x linked", "d/c =1 id=x linked"}},
        {"all names edited here, one gone there",
         {"a =1 id=x linked", "b =1 id=x linked", "c =1 id=x linked"},
         {"a =2 id=x linked", "b =2 id=x linked", "c =2 id=x linked"},
         {"a =1 id=x linked", "b =1 id=x linked"},
         {"a =2 id=x linked", "b =2 id=x linked", "c =2 id=x linked"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Mediation result =
          value_of(mediate(trees, make_tree(trees, row.base), make_tree(trees, row.client),
                           make_tree(trees, row.server), LiveSide::kServer));
      const Lines merged = lines_of(trees, result.merged);
      const Lines expected = lines_of(trees, make_tree(trees, row.merged));
      REQUIRE(merged.size() == expected.size());
      for (std::size_t i = 0; i < merged.size(); ++i) {
        // A new id is a hash: that it is another one is what counts.
        const std::size_t length = expected[i].find(" id=38");
        CHECK(merged[i].substr(0, length) == expected[i].substr(0, length));
        if (length != std::string::npos) CHECK(merged[i].find(" id=78") == std::string::npos);
      }
    }
  }

  TEST_CASE("what one side moved and the other kept are two files") {
    struct Row {
      std::string what;
      Lines base, client, server, names;
    };
    const Row rows[] = {
        {"moved here, edited there", {"a =1 id=x"}, {"b =1 id=x"}, {"a =2 id=x"}, {"a", "b"}},
        {"moved on both sides", {"a =1 id=x"}, {"b =1 id=x"}, {"c =1 id=x"}, {"b", "c"}},
        {"a directory moved here, edited in there",
         {"d/ id=x", "d/f =1"},
         {"e/ id=x", "e/f =1"},
         {"d/ id=x", "d/f =2"},
         {"d", "d/f", "e", "e/f"}},
        {"a directory moved on both sides",
         {"d/ id=x", "d/f =1 id=y"},
         {"e/ id=x", "e/f =1 id=y"},
         {"g/ id=x", "g/f =1 id=y"},
         {"e", "e/f", "g", "g/f"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Mediation result =
          value_of(mediate(trees, make_tree(trees, row.base), make_tree(trees, row.client),
                           make_tree(trees, row.server), LiveSide::kServer));
      Lines names;
      std::set<store::FileId> ids;
      REQUIRE(walk_tree(trees, result.merged, [&](const RelativePath& path, const auto&) {
        names.push_back(path.text());
        ids.insert(value_of(locate_path(trees, result.merged, path)).value().file_id);
        return Result<void>();
      }));
      CHECK(names == row.names);
      CHECK(ids.size() == names.size());
    }
  }

  TEST_CASE("edits far apart in a hundred thousand files cost a few pages") {
    CountingTreeStore trees;
    const Root base = test::make_wide_tree(trees, 100, 1000);
    const auto edit = [&](const Root& root, const std::string& directory, std::uint8_t seed) {
      return test::with_entry(trees, root, directory, test::make_file("f0500", seed));
    };
    const Root client = edit(edit(base, "d0001", 1), "d0050", 2);
    const Root server = edit(edit(base, "d0098", 3), "d0050", 4);
    const Cost cost(trees);
    const Mediation result = value_of(mediate(trees, base, client, server, LiveSide::kServer));
    CHECK(cost.pages_read() <= 80);
    CHECK(cost.pages_encoded() <= 10);
    CHECK(conflicts_of(result) == Lines{"content /d0050/f0500 (client)"});
    CHECK((result.merged == edit(edit(server, "d0001", 1), "d0050", 4)));
  }

  TEST_CASE("one large directory changed on both sides costs a few pages") {
    CountingTreeStore trees;
    const Root base = test::make_wide_tree(trees, 1, 9'999);
    const Root client = test::with_entry(trees, base, "d0000", test::make_file("f0100", 1));
    const Root server = test::with_entry(trees, base, "d0000", test::make_file("f9000", 2));
    const Cost cost(trees);
    const Mediation result = value_of(mediate(trees, base, client, server, LiveSide::kServer));
    CHECK(cost.pages_read() <= 60);
    CHECK(cost.pages_encoded() <= 6);
    CHECK((result.merged == test::with_entry(trees, server, "d0000", test::make_file("f0100", 1))));
  }

  TEST_CASE("a large directory renamed here costs a few pages") {
    CountingTreeStore trees;
    const Root base = test::make_wide_tree(trees, 2, 9'999);
    store::Entry moved = value_of(find_path(trees, base, *RelativePath::parse("d0000"))).value();
    moved.file_id = moved.effective_file_id(store::root_file_id());
    moved.name = Name::checked("moved");
    const std::vector<store::DirectoryEdit> edits = {{Name::checked("d0000"), std::nullopt},
                                                     {moved.name, moved}};
    Root client = base;
    client.directory = value_of(edit_directory(trees, base.directory.page, edits));
    const Root server = test::with_entry(trees, base, "d0001", test::make_file("f9000", 2));
    const Cost cost(trees);
    const Mediation result = value_of(mediate(trees, base, client, server, LiveSide::kServer));
    CHECK(cost.pages_read() <= 60);
    CHECK(result.conflicts.empty());
    CHECK((result.merged == test::with_entry(trees, client, "d0001", test::make_file("f9000", 2))));
  }

  TEST_CASE("a deleted directory of which one file was edited is not read through") {
    CountingTreeStore trees;
    const Root base = test::make_wide_tree(trees, 1, 9'999);
    const Root client = make_tree(trees, {"y"});
    const Root server = test::with_entry(trees, base, "d0000", test::make_file("f9000", 2));
    const Cost cost(trees);
    const Mediation result = value_of(mediate(trees, base, client, server, LiveSide::kServer));
    CHECK(conflicts_of(result) == Lines{"deleted /d0000/f9000 (client)"});
    CHECK(cost.pages_read() <= 25);
    CHECK(lines_of(trees, result.merged).size() == 4);  // the root, d0000, d0000/f9000 and y
  }

  TEST_CASE("trees alone are mediated, and none too deep") {
    store::MemoryTreeStore trees;
    const Root tree = make_tree(trees, {"a"});
    const Result<Mediation> layer =
        mediate(trees, tree, test::make_layer(trees, {"b"}), tree, LiveSide::kServer);
    REQUIRE_FALSE(layer);
    CHECK(layer.error().code == EUCLEAN);
    for (const unsigned depth : {4000U, 5000U}) {
      const auto deep = [&](std::uint8_t seed) {
        return test::make_deep_tree(trees, depth, test::make_file("a", seed));
      };
      const auto result = mediate(trees, deep(0), deep(1), deep(2), LiveSide::kServer);
      CHECK(result.has_value() == (depth < 4096));
    }
  }
}

}  // namespace
}  // namespace satchel::syncer
