#include "store/split.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "store/diff.h"
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

/// By the last name's first letter: a app, d data, m machine; all else is the system's.
Area area_by_letter(const RelativePath& path, Kind /*kind*/) {
  switch (path.name().text().front()) {
    case 'a':
      return Area::kApp;
    case 'd':
      return Area::kData;
    case 'm':
      return Area::kMachine;
    default:
      return Area::kSysdata;
  }
}

TEST_SUITE("store/split") {
  TEST_CASE("each entry, mark and attribute is in one part, and join brings all together") {
    struct Row {
      std::string what;
      Lines layer, app, sysdata, data;
    };
    const Row rows[] = {
        {"nothing", {}, {}, {}, {}},
        {"files", {"a1", "d1", "s1"}, {"a1"}, {"s1"}, {"d1"}},
        {"whiteouts", {"a1 whiteout", "d1 whiteout"}, {"a1 whiteout"}, {}, {"d1 whiteout"}},
        {"a way is in each part that needs it",
         {"etc/ inherit mode=700", "etc/a1", "etc/d1"},
         {"etc/ inherit mode=700", "etc/a1"},
         {},
         {"etc/ inherit mode=700", "etc/d1"}},
        {"a directory's own attributes are in one",
         {"etc/ mode=700", "etc/a1"},
         {"etc/ inherit mode=700", "etc/a1"},
         {"etc/ mode=700"},
         {}},
        {"an opaque directory too",
         {"app/ opaque", "app/d1", "app/s1"},
         {"app/ opaque"},
         {"app/ inherit", "app/s1"},
         {"app/ inherit", "app/d1"}},
        {"ways inside of opaque are marked in their part",
         {"app/ opaque", "app/sys/ plain", "app/sys/a1"},
         {"app/ opaque", "app/sys/ inherit", "app/sys/a1"},
         {"app/ inherit", "app/sys/ plain"},
         {}},
        {"an inheriting directory without entries", {"data/ inherit"}, {}, {}, {"data/ inherit"}},
        {"the root's own attributes", {"/ mode=700", "a1"}, {"a1"}, {"/ mode=700"}, {}},
        {"links",
         {"a1 id=x linked", "d/d2 id=x linked"},
         {"a1 id=x linked"},
         {},
         {"d/ inherit", "d/d2 id=x linked"}},
        {"an identity on the way",
         {"etc/ inherit id=y", "etc/a1"},
         {"etc/ inherit id=y", "etc/a1"},
         {},
         {}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Root layer = make_layer(trees, row.layer);
      Parts parts = value_of(split(trees, layer, area_by_letter));
      CHECK(lines_of(trees, parts[0]) == lines_of(trees, make_layer(trees, row.app)));
      CHECK(lines_of(trees, parts[1]) == lines_of(trees, make_layer(trees, row.sysdata)));
      CHECK(lines_of(trees, parts[2]) == lines_of(trees, make_layer(trees, row.data)));
      CHECK((parts[3] == empty_layer()));
      for (int order = 0; order < 4; ++order) {
        CHECK((value_of(join(trees, parts)) == layer));
        std::rotate(parts.begin(), parts.begin() + 1, parts.end());
      }
    }
  }

  TEST_CASE("nothing joined is nothing") {
    MemoryTreeStore trees;
    CHECK((value_of(join(trees, {})) == empty_layer()));
  }

  TEST_CASE("a name is in one part only") {
    struct Row {
      std::string what;
      Lines first, second;
    };
    const Row rows[] = {
        {"two files", {"a =1"}, {"a =2"}},
        {"a file and a directory", {"a =1"}, {"a/ plain"}},
        {"two directories of their own", {"a/ plain", "a/b"}, {"a/ plain", "a/c"}},
        {"two roots", {"/"}, {"/ mode=700"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      MemoryTreeStore trees;
      const Result<Root> result =
          join(trees, std::vector{make_layer(trees, row.first), make_layer(trees, row.second)});
      REQUIRE_FALSE(result);
      CHECK(result.error().code == EUCLEAN);
    }
  }

  // A machine's part is as old as that machine's last visit; the other parts went on.
  TEST_CASE("parts of different ages join in any order") {
    struct Row {
      std::string what;
      Lines older, newer, expected;
    };
    const Row rows[] = {
        {"the way was deleted", {"etc/m1 =1"}, {"etc whiteout"}, {"etc/ opaque", "etc/m1 =1"}},
        {"in an opaque directory too",
         {"e/f/m1"},
         {"e/ opaque", "e/f whiteout"},
         {"e/ opaque", "e/f/ plain", "e/f/m1"}},
        {"the way became a file", {"etc/m1 =1 id=x linked"}, {"etc =2"}, {"etc =2"}},
        {"the way has other attributes",
         {"etc/ inherit mode=700", "etc/m1"},
         {"etc/ inherit mode=711", "etc/s1"},
         {"etc/ inherit mode=700", "etc/m1", "etc/s1"}},
        {"the way is another directory now",
         {"etc/ inherit id=x", "etc/m1"},
         {"etc/ opaque id=y", "etc/s1"},
         {"etc/ opaque id=y", "etc/m1", "etc/s1"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CountingTreeStore trees;
      const Root older = make_layer(trees, row.older);
      const Root newer = make_layer(trees, row.newer);
      const Lines expected = lines_of(trees, make_layer(trees, row.expected));
      CHECK(lines_of(trees, value_of(join(trees, std::vector{older, newer}))) == expected);
      CHECK(lines_of(trees, value_of(join(trees, std::vector{newer, older}))) == expected);
    }
  }

  TEST_CASE("one change in a hundred thousand files updates a few pages of the parts") {
    CountingTreeStore trees;
    const Root image = make_tree(trees, {"etc/s1"});
    Root old_tree = test::make_wide_tree(trees, 100, 1000);
    const Root layer = value_of(diff(trees, image, old_tree));
    const Parts old_parts = value_of(split(trees, layer, area_by_letter));
    const Root new_tree = test::with_entry(trees, old_tree, "d0042", test::make_file("f0500", 7));

    const Cost cost(trees);
    const Parts parts =
        value_of(update_parts(trees, image, old_tree, old_parts, new_tree, area_by_letter));
    CHECK(cost.pages_read() <= 50);
    CHECK(cost.pages_encoded() <= 10);
    const Cost joining(trees);
    const Root joined = value_of(join(trees, parts));
    CHECK((joined == value_of(diff(trees, image, new_tree))));
    const Root expected = value_of(diff(trees, image, new_tree));
    CHECK((value_of(split(trees, expected, area_by_letter)) == parts));
    CHECK((value_of(update_parts(trees, image, old_tree, old_parts, old_tree, area_by_letter)) ==
           old_parts));
  }

  TEST_CASE("parts that do not overlap are joined unread") {
    CountingTreeStore trees;
    Root large = test::make_wide_tree(trees, 1, 9'999);
    large.mark = DirectoryMark::kInherit;
    large.attributes = empty_layer().attributes;
    const Root small = make_layer(trees, {"d0000/ inherit", "d0000/zz =1", "e/f"});
    const Cost cost(trees);
    CHECK(join(trees, std::vector{large, small}));
    CHECK(cost.pages_read() <= 20);
    CHECK(cost.pages_encoded() <= 6);
  }

  TEST_CASE("depth is limited") {
    MemoryTreeStore trees;
    for (const unsigned depth : {4000U, 5000U}) {
      const Root deep = test::make_deep_tree(trees, depth, test::make_file("a"));
      CHECK(split(trees, deep, area_by_letter).has_value() == (depth < 4096));
      CHECK(update_parts(trees, empty_tree(), empty_tree(),
                         {empty_layer(), empty_layer(), empty_layer(), empty_layer()}, deep,
                         area_by_letter)
                .has_value() == (depth < 4096));
    }
  }
}

}  // namespace
}  // namespace satchel::store
