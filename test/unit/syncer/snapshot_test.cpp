#include "syncer/snapshot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "store/content_id.h"
#include "store/diff.h"
#include "store/directory.h"
#include "store/links.h"
#include "test/unit/syncer/world.h"

namespace satchel::syncer {
namespace {

using store::Root;
using test::MemoryUpper;
using test::SeededRandom;

/// A view over a base, with all that a snapshot of it needs.
struct Bench {
  World world;
  store::Upload upload{world.repository()};
  store::RepositoryTreeStore trees{world.repository(), nullptr, &upload};
  std::unique_ptr<MemoryUpper> view;
  Root base;

  explicit Bench(const std::function<void(MemoryUpper&)>& make_base = make_small_system,
                 std::uint64_t seed = 1) {
    MemoryUpper maker(trees, need(trees.put_root(store::empty_tree())), 0, seed);
    make_base(maker);
    base = maker.build_tree(trees);
    view = std::make_unique<MemoryUpper>(trees, need(trees.put_root(base)), 1, seed + 1);
  }

  Snapshot snapshot(const PathRules& rules) {
    const auto sealed = need(view->seal());
    return need(take_snapshot({*view, rules, trees, upload}, sealed));
  }
  std::string differences(const Root& first, const Root& second) {
    std::string text;
    need(
        store::walk_changes(trees, first, second, [&](const store::Change& change) -> Result<void> {
          text += change.path.text() + " ";
          return {};
        }));
    if (first.links != second.links) text += "(links)";
    return text;
  }
};

std::string random_path(SeededRandom& random, const std::vector<std::string>& directories) {
  static const std::vector<std::string> kNames = {
      "a", "b", "c", "d", "new\nline", "\xff\xfe", std::string(255, 'n')};
  const std::string& directory = directories[random.below(directories.size())];
  const std::string& name = kNames[random.below(kNames.size())];
  return directory.empty() ? name : directory + "/" + name;
}

/// One random operation that is possible now.
void do_something(MemoryUpper& view, SeededRandom& random) {
  const auto directories = view.directories();
  const auto files = view.files();
  const std::string path = random_path(random, directories);
  const bool is_there = view.exists(path);
  const bool is_file = is_there && std::ranges::find(files, path) != files.end();
  const auto some_file = [&] { return files[random.below(files.size())]; };
  const auto some_directory = [&] { return directories[random.below(directories.size())]; };
  switch (random.below(9)) {
    case 0:
      if (!is_there) view.make_directory(path);
      break;
    case 1:
      if (is_file) view.remove(path);
      break;
    case 2:
      if (is_there && random.one_in(3)) view.remove(path);
      break;
    case 3:
      if (!files.empty() && !is_there) view.link(some_file(), path);
      break;
    case 4: {
      if (files.empty()) break;
      const std::string from = some_file();
      if (from != path && !is_there) view.rename(from, path);
      break;
    }
    case 5: {
      const std::string from = some_directory();
      const bool is_inside = path == from || path.starts_with(from + "/");
      if (!from.empty() && !is_inside && !is_there) view.rename(from, path);
      break;
    }
    case 6:
      if (is_there) view.set_mode(path, random.one_in(2) ? 0700 : 0755);
      break;
    case 7:
      if (is_there) {
        view.set_xattr(path, "user.x", std::string(random.below(2) * 400 + 3, 'x'));
      }
      break;
    default:
      if (!is_there) {
        if (random.one_in(6)) {
          view.make_symlink(path, "target");
        } else {
          view.write(path, std::string(random.below(9), static_cast<char>('a' + random.below(26))));
        }
      }
  }
}

TEST_SUITE("syncer/snapshot") {
  TEST_CASE("any change to any tree gives the tree that is built from scratch") {
    const std::uint64_t seed = test::test_seed(4711);
    MESSAGE("seed " << seed);
    SeededRandom random(seed);
    Bench outer;
    const PrefixRules all;
    const PrefixRules all_unsure({}, false);
    for (int round = 0; round < 250; ++round) {
      MemoryUpper maker(outer.trees, need(outer.trees.put_root(store::empty_tree())), 0,
                        seed + static_cast<std::uint64_t>(round));
      for (std::uint64_t count = random.below(40); count > 0; --count) do_something(maker, random);
      const Root base = maker.build_tree(outer.trees);
      MemoryUpper view(outer.trees, need(outer.trees.put_root(base)), 1, seed + 1000);
      for (std::uint64_t count = random.below(12); count > 0; --count) do_something(view, random);
      const auto sealed = need(view.seal());
      CAPTURE(round);
      for (const PrefixRules* const rules : {&all, &all_unsure}) {
        const Snapshot snapshot =
            need(take_snapshot({view, *rules, outer.trees, outer.upload}, sealed));
        const Root expected = view.build_tree(outer.trees);
        CAPTURE(outer.differences(expected, snapshot.tree));
        CHECK(snapshot.tree == expected);
        CHECK(snapshot.third_leg == base);
        CHECK(!snapshot.has_origins);
      }
    }
  }

  TEST_CASE("nothing changed: the base, and nothing is encoded or read") {
    Bench bench;
    const std::uint64_t before = bench.trees.pages_encoded();
    const Snapshot snapshot = bench.snapshot(PrefixRules());
    CHECK(snapshot.tree == bench.base);
    CHECK(bench.trees.pages_encoded() == before);
    CHECK(snapshot.counts.files_opened == 0);
  }

  TEST_CASE("what does not travel keeps the base's entry, whatever was done to it") {
    Bench bench;
    MemoryUpper& view = *bench.view;
    view.write("home/ada/.cache/old", "new bytes");
    view.write("home/ada/.cache/more", "more");
    view.make_directory("tmp/session");
    view.write("tmp/session/socket", "x");
    view.write("home/ada/Documents/letter", "dear friend");
    const std::uint64_t before = bench.trees.pages_encoded();
    const Snapshot snapshot = bench.snapshot(usual_rules());
    CHECK(bench.differences(bench.base, snapshot.tree) == "home/ada/Documents/letter ");
    CHECK(snapshot.counts.files_opened == 1);
    CHECK(bench.trees.pages_encoded() - before <= 4);
  }

  TEST_CASE("a removed directory stays for the sake of what the rules do not speak of") {
    Bench bench;
    bench.view->remove("home/ada");
    for (const bool knows_coverage : {true, false}) {
      const PrefixRules rules({{"home/ada/.cache", PrefixRules::Fate::kLocal}}, knows_coverage);
      const Snapshot snapshot = bench.snapshot(rules);
      const auto find = [&](const char* path) {
        return need(store::find_path(bench.trees, snapshot.tree, *RelativePath::parse(path)));
      };
      CHECK(find("home/ada/.cache/old").has_value());
      CHECK(!find("home/ada/Documents").has_value());
    }
  }

  TEST_CASE(
      "a renamed directory leaves behind what the rules do not speak of, and takes the rest") {
    Bench bench;
    bench.view->rename("home/ada", "home/bob");
    const Snapshot snapshot = bench.snapshot(usual_rules());
    const auto find = [&](const char* path) {
      return need(store::find_path(bench.trees, snapshot.tree, *RelativePath::parse(path)));
    };
    CHECK(find("home/ada/.cache/old").has_value());
    CHECK(!find("home/ada/Documents").has_value());
    CHECK(find("home/bob/Documents/letter").has_value());
    CHECK(find("home/bob/.cache/old").has_value());  // nothing is local about bob's
  }

  TEST_CASE("a new directory that does not travel is there if something in it does") {
    Bench bench;
    bench.view->make_directory("tmp/job");
    bench.view->make_directory("tmp/job/kept");
    bench.view->write("tmp/job/kept/file", "x");
    bench.view->write("tmp/job/scrap", "x");
    const PrefixRules rules(
        {{"tmp", PrefixRules::Fate::kLocal}, {"tmp/job/kept", PrefixRules::Fate::kData}});
    const Snapshot snapshot = bench.snapshot(rules);
    CHECK(bench.differences(bench.base, snapshot.tree) ==
          "tmp/job tmp/job/kept tmp/job/kept/file ");
  }

  // It once took the new directory's identity, so that what the rules do not speak of had changed.
  TEST_CASE("a directory replaced where nothing is spoken for stays what the base has") {
    Bench bench([](MemoryUpper& view) {
      make_small_system(view);
      view.make_directory("tmp/d");
      view.write("tmp/d/x", "x");
    });
    bench.view->remove("tmp/d");
    bench.view->make_directory("tmp/d");
    for (const bool knows_coverage : {true, false}) {
      const PrefixRules rules({{"tmp", PrefixRules::Fate::kLocal}}, knows_coverage);
      CHECK(bench.snapshot(rules).tree == bench.base);
    }
  }

  TEST_CASE("with any rules each file is the view's or the base's, as the rules say") {
    using Fate = PrefixRules::Fate;
    const std::uint64_t seed = test::test_seed(815);
    MESSAGE("seed " << seed);
    SeededRandom random(seed);
    Bench outer;
    for (int round = 0; round < 150; ++round) {
      MemoryUpper maker(outer.trees, need(outer.trees.put_root(store::empty_tree())), 0,
                        seed + static_cast<std::uint64_t>(round));
      for (int count = 0; count < 40; ++count) do_something(maker, random);
      std::vector<PrefixRules::Rule> list;
      for (std::uint64_t count = random.below(4); count > 0; --count) {
        const auto directories = maker.directories();
        const std::string& below = directories[random.below(directories.size())];
        if (!below.empty()) list.push_back({below, random.one_in(3) ? Fate::kData : Fate::kLocal});
      }
      const Root base = maker.build_tree(outer.trees);
      MemoryUpper view(outer.trees, need(outer.trees.put_root(base)), 1, seed + 2000);
      for (int count = 0; count < 12; ++count) do_something(view, random);
      const auto sealed = need(view.seal());
      const PrefixRules rules(list);
      const PrefixRules unsure(list, false);
      CAPTURE(round);
      const Snapshot snapshot =
          need(take_snapshot({view, rules, outer.trees, outer.upload}, sealed));
      const Snapshot slow = need(take_snapshot({view, unsure, outer.trees, outer.upload}, sealed));
      CAPTURE(outer.differences(snapshot.tree, slow.tree));
      CHECK(snapshot.tree.directory.page == slow.tree.directory.page);

      const Root now = view.build_tree(outer.trees);
      std::map<std::string, store::Entry> found;
      need(store::walk_tree(
          outer.trees, snapshot.tree,
          [&](const RelativePath& path, const store::Entry& entry) -> Result<void> {
            found.emplace(path.text(), entry);
            return {};
          }));
      const auto check_side = [&](const Root& side, bool travels, const Root& other) {
        need(store::walk_tree(
            outer.trees, side,
            [&](const RelativePath& path, const store::Entry& entry) -> Result<void> {
              if (entry.is_directory() || rules.travels(path, entry.kind) != travels) return {};
              CAPTURE(path);
              const auto there = found.find(path.text());
              // A file that now stands on the way replaces what the base has below it.
              bool is_replaced = false;
              for (RelativePath above = path; !above.is_root(); above = above.parent()) {
                const auto entry_above = need(store::find_path(outer.trees, other, above));
                const bool is_way = above != path && entry_above && !entry_above->is_directory();
                const bool is_directory_now =
                    above == path && entry_above && entry_above->is_directory();
                is_replaced = is_replaced || is_way || is_directory_now;
              }
              if (is_replaced) return {};
              REQUIRE(there != found.end());
              CHECK(there->second.content == entry.content);
              CHECK(there->second.attributes == entry.attributes);
              return {};
            }));
      };
      check_side(now, true, base);
      check_side(base, false, now);
    }
  }

  TEST_CASE("a change of time alone does not count where nothing travels") {
    Bench bench;
    bench.view->set_mode("tmp", 0755);  // the mode it has: only that it was touched
    CHECK(bench.snapshot(usual_rules()).tree == bench.base);
    bench.view->set_mode("tmp", 0700);
    CHECK(bench.snapshot(usual_rules()).tree != bench.base);
  }

  TEST_CASE("linked files: one hash for all names, and the link table follows") {
    Bench bench;
    MemoryUpper& view = *bench.view;
    view.write("usr/bin/one", "changed through one name");
    view.link("usr/bin/tool", "usr/bin/tool2");
    view.write("usr/bin/x", "new");
    view.link("usr/bin/x", "home/ada/x");
    const Snapshot snapshot = bench.snapshot(PrefixRules());
    CHECK(snapshot.tree == view.build_tree(bench.trees));
    CHECK(snapshot.counts.files_opened == 2);
    CHECK(need(store::list_links(bench.trees, snapshot.tree.links)).size() == 6);
  }

  TEST_CASE("a link whose other name does not travel is no link in the tree") {
    Bench bench;
    bench.view->link("home/ada/Documents/letter", "home/ada/.cache/letter");
    const Snapshot snapshot = bench.snapshot(usual_rules());
    const auto letter = need(store::find_path(bench.trees, snapshot.tree,
                                              *RelativePath::parse("home/ada/Documents/letter")));
    REQUIRE(letter.has_value());
    CHECK(!letter->linked);
    CHECK(need(store::list_links(bench.trees, snapshot.tree.links)) ==
          need(store::list_links(bench.trees, bench.base.links)));
  }

  TEST_CASE("a file that never rests keeps its old content and is reported") {
    Bench bench;
    bench.view->write("home/ada/Documents/letter", "first");
    bench.view->write("home/ada/fresh", "first");
    int count = 0;
    bench.view->on_look = [&](store::UpperId /*id*/) {
      ++count;
      bench.view->write("home/ada/Documents/letter", "version " + std::to_string(count % 7));
      bench.view->write("home/ada/fresh", "version " + std::to_string(count % 7));
    };
    const Snapshot snapshot = bench.snapshot(PrefixRules());
    const auto find = [&](const char* path) {
      return need(store::find_path(bench.trees, snapshot.tree, *RelativePath::parse(path)));
    };
    REQUIRE(find("home/ada/Documents/letter").has_value());
    CHECK(find("home/ada/Documents/letter")->content == store::content_id_of(as_bytes("dear")));
    CHECK(!find("home/ada/fresh").has_value());
    CHECK(snapshot.busy.size() == 2);
    CHECK(snapshot.contents.empty());
    CHECK(snapshot.counts.files_opened == 2);
  }

  TEST_CASE("a file that only grows is cut where it was first seen") {
    Bench bench;
    bench.view->write("home/ada/log", "line 1\n");
    bench.view->on_look = [&](store::UpperId /*id*/) {
      bench.view->append("home/ada/log", "more\n");
    };
    const Snapshot snapshot = bench.snapshot(PrefixRules());
    const auto log =
        need(store::find_path(bench.trees, snapshot.tree, *RelativePath::parse("home/ada/log")));
    REQUIRE(log.has_value());
    CHECK(log->content == store::content_id_of(as_bytes("line 1\n")));
    CHECK(snapshot.busy.empty());
    CHECK(snapshot.contents.empty());  // what the file holds now is something else
  }

  TEST_CASE("a file written once after the seal is taken as it is when it rests") {
    Bench bench;
    bench.view->write("home/ada/note", "before");
    bool is_first = true;
    bench.view->on_look = [&](store::UpperId /*id*/) {
      if (std::exchange(is_first, false)) bench.view->write("home/ada/note", "after!");
    };
    const Snapshot snapshot = bench.snapshot(PrefixRules());
    const auto note =
        need(store::find_path(bench.trees, snapshot.tree, *RelativePath::parse("home/ada/note")));
    REQUIRE(note.has_value());
    CHECK(note->content == store::content_id_of(as_bytes("after!")));
    CHECK(snapshot.busy.empty());
  }

  TEST_CASE("pages follow the change: a deep edit among many files, and a renamed directory") {
    Bench bench([](MemoryUpper& view) {
      for (int top = 0; top < 20; ++top) {
        const std::string directory = "d" + std::to_string(top);
        view.make_directory(directory);
        for (int sub = 0; sub < 10; ++sub) {
          view.make_directory(directory + "/s" + std::to_string(sub));
          for (int file = 0; file < 50; ++file) {
            view.write(directory + "/s" + std::to_string(sub) + "/f" + std::to_string(file), "x");
          }
        }
      }
    });
    std::uint64_t before = bench.trees.pages_encoded();
    bench.view->write("d3/s4/f5", "y");
    CHECK(bench.snapshot(PrefixRules()).tree == bench.view->build_tree(bench.trees));
    CHECK(bench.trees.pages_encoded() - before <= 4);  // root, d3, and s4 in two pages
    bench.view->rename("d7", "renamed");
    before = bench.trees.pages_encoded();
    const Snapshot snapshot = bench.snapshot(PrefixRules());
    CHECK(bench.trees.pages_encoded() - before <= 1);
    CHECK(snapshot.tree == bench.view->build_tree(bench.trees));
  }

  TEST_CASE("an upper that contradicts its base is refused") {
    Bench bench;
    auto sealed = need(bench.view->seal());
    store::UpperNode lost;
    lost.kind = store::Kind::kDirectory;
    lost.base = store::BaseOfDirectory::kBasePath;
    lost.base_path = *RelativePath::parse("no/such/directory");
    sealed.nodes.push_back(lost);
    sealed.nodes[0].children.push_back({Name::checked("x"), 1});
    const auto snapshot =
        take_snapshot({*bench.view, PrefixRules(), bench.trees, bench.upload}, sealed);
    REQUIRE(!snapshot.has_value());
    CHECK(snapshot.error().sat == Sat::kContradiction);
  }
}

}  // namespace
}  // namespace satchel::syncer
