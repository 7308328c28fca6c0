#include "store/directory.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "test/support/counting_tree_store.h"
#include "test/support/seeded_random.h"

namespace satchel::store {
namespace {

using test::Cost;
using test::CountingTreeStore;
using test::SeededRandom;

using Entries = std::map<std::string, Entry>;

Entry file_named(std::string_view name, std::uint64_t size = 0) {
  Entry entry;
  entry.name = Name::checked(name);
  entry.content.size = size;
  if (size > 0) entry.content.digest.bytes[0] = static_cast<std::byte>(size);
  return entry;
}

std::string numbered(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return "n" + std::string(9 - digits.size(), '0') + digits;
}

DirectoryRef build(TreeStore& trees, const Entries& entries) {
  DirectoryBuilder builder(trees);
  for (const auto& [name, entry] : entries) REQUIRE(builder.append(entry));
  const Result<DirectoryRef> ref = builder.finish();
  REQUIRE(ref);
  return *ref;
}

Entries numbered_files(std::uint64_t count) {
  Entries entries;
  for (std::uint64_t i = 0; i < count; ++i) entries.emplace(numbered(i), file_named(numbered(i)));
  return entries;
}

DirectoryRef edit(TreeStore& trees, const PageId& directory, const Entries& put,
                  const std::vector<std::string>& removed = {}) {
  std::map<std::string, DirectoryEdit> edits;
  for (const auto& [name, entry] : put) edits.insert({name, {entry.name, entry}});
  for (const std::string& name : removed) {
    edits.insert({name, {Name::checked(name), std::nullopt}});
  }
  std::vector<DirectoryEdit> list;
  for (auto& [name, one] : edits) list.push_back(one);
  const Result<DirectoryRef> ref = edit_directory(trees, directory, list);
  REQUIRE(ref);
  return *ref;
}

/// Which names a random directory is made of; the cut differs most between these.
enum class Names { kAny, kEndingPages, kNeverEnding, kHeavy };

Entry random_entry(SeededRandom& random, Names names) {
  for (;;) {
    const std::string name = numbered(random.below(100'000));
    if (names == Names::kEndingPages && !(key_ends_page(name, 0) && key_ends_page(name, 1))) {
      // All pages end with their second item, on two levels.
      if (!random.one_in(2000)) continue;
    }
    if (names == Names::kNeverEnding && key_ends_page(name, 0)) continue;
    Entry entry = file_named(name, random.below(3));
    if (names == Names::kHeavy) {
      entry.kind = Kind::kSymlink;
      entry.content = {};
      entry.target = std::string(1000 + random.below(3000), 't');
    }
    if (random.one_in(10)) entry = Entry::whiteout(entry.name);
    return entry;
  }
}

/// Adds, replaces or removes up to 20 names, here and there or side by side.
void edit_at_random(SeededRandom& random, Names names, Entries& put,
                    std::vector<std::string>& removed, Entries& entries) {
  for (std::uint64_t count = random.below(20); count > 0; --count) {
    if (!entries.empty() && random.one_in(2)) {
      auto victim = entries.lower_bound(numbered(random.below(100'000)));
      if (victim == entries.end()) victim = std::prev(victim);
      if (put.contains(victim->first)) continue;
      removed.push_back(victim->first);
      entries.erase(victim);
    } else {
      const Entry entry = random_entry(random, names);
      std::erase(removed, entry.name.text());
      put.insert_or_assign(entry.name.text(), entry);
      entries.insert_or_assign(entry.name.text(), entry);
    }
  }
}

TEST_SUITE("store/directory") {
  TEST_CASE("the empty directory is not stored") {
    CountingTreeStore trees;
    const DirectoryRef ref = build(trees, {});
    CHECK(ref.page == empty_directory_page());
    CHECK(trees.pages_encoded() == 0);
    CHECK(list_directory(trees, ref.page)->empty());
    CHECK_FALSE(*find_entry(trees, ref.page, Name::checked("a")));
    CHECK(trees.directory_pages_read() == 0);
  }

  TEST_CASE("names out of order are refused") {
    MemoryTreeStore trees;
    for (const std::string second : {"a", "b"}) {
      DirectoryBuilder builder(trees);
      REQUIRE(builder.append(file_named("b")));
      const Result<void> result = builder.append(file_named(second));
      REQUIRE_FALSE(result);
      CHECK(result.error().code == EUCLEAN);
    }
  }

  TEST_CASE("a directory knows its subdirectories and marks") {
    MemoryTreeStore trees;
    Entry directory = file_named("d");
    directory.kind = Kind::kDirectory;
    Entries entries{{"d", directory}, {"f", file_named("f")}};
    CHECK(build(trees, entries).subdirectories == 1);
    CHECK_FALSE(build(trees, entries).marked_below);
    directory.directory.marked_below = true;
    entries["d"] = directory;
    CHECK(build(trees, entries).marked_below);
    entries.erase("d");
    entries["w"] = Entry::whiteout(Name::checked("w"));
    CHECK(build(trees, entries).marked_below);
  }

  TEST_CASE("editing gives what building anew gives") {
    const std::uint64_t seed = test::test_seed(1);
    MESSAGE("seed " << seed);
    for (const Names names :
         {Names::kAny, Names::kEndingPages, Names::kNeverEnding, Names::kHeavy}) {
      CAPTURE(static_cast<int>(names));
      CountingTreeStore trees;
      SeededRandom random(seed);
      Entries entries;
      const std::uint64_t size = names == Names::kEndingPages ? 40 : 3000;
      while (entries.size() < size) {
        const Entry entry = random_entry(random, names);
        entries.insert_or_assign(entry.name.text(), entry);
      }
      DirectoryRef ref = build(trees, entries);
      for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        Entries put;
        std::vector<std::string> removed;
        edit_at_random(random, names, put, removed, entries);
        ref = edit(trees, ref.page, put, removed);
        REQUIRE(ref == build(trees, entries));
      }
    }
  }

  TEST_CASE("editing every single name of a directory gives what building anew gives") {
    MemoryTreeStore trees;
    const Entries entries = numbered_files(700);
    const DirectoryRef ref = build(trees, entries);
    for (const auto& one : entries) {
      const std::string& name = one.first;
      CAPTURE(name);
      Entries changed = entries;
      changed.erase(name);
      REQUIRE(edit(trees, ref.page, {}, {name}) == build(trees, changed));
      changed[name + "x"] = file_named(name + "x");
      changed[name] = one.second;
      REQUIRE(edit(trees, ref.page, {{name + "x", changed[name + "x"]}}) == build(trees, changed));
    }
  }

  TEST_CASE("an edit without effect gives the old directory and encodes nothing") {
    CountingTreeStore trees;
    const Entries entries = numbered_files(5000);
    const DirectoryRef ref = build(trees, entries);
    const Cost cost(trees);
    CHECK(edit(trees, ref.page, {}) == ref);
    CHECK(edit(trees, ref.page, {*entries.find(numbered(2500))}, {"absent"}) == ref);
    CHECK(cost.pages_encoded() == 0);
  }

  TEST_CASE("a change in a directory of a million names costs a few pages") {
    CountingTreeStore trees;
    DirectoryBuilder builder(trees);
    bool is_built = true;
    for (std::uint64_t i = 0; i < 1'000'000; ++i) {
      is_built = is_built && builder.append(file_named(numbered(i)));
    }
    REQUIRE(is_built);
    const PageId million = builder.finish()->page;
    const std::string rows[] = {numbered(500'000), numbered(0), numbered(999'999), "a", "z"};
    for (const std::string& name : rows) {
      CAPTURE(name);
      const Cost cost(trees);
      const DirectoryRef changed = edit(trees, million, {{name, file_named(name, 1)}});
      CHECK(cost.pages_encoded() <= 10);
      CHECK(cost.pages_read() <= 20);
      const Cost comparison(trees);
      int differences = 0;
      REQUIRE(compare_directories(trees, million, changed.page, [&](const auto& difference) {
        CHECK(difference.name().text() == name);
        ++differences;
        return Result<void>();
      }));
      CHECK(differences == 1);
      CHECK(comparison.pages_read() <= 20);
    }
    const Cost look_up(trees);
    CHECK(*find_entry(trees, million, Name::checked(numbered(123'456))));
    CHECK(look_up.pages_read() == 3);
  }

  TEST_CASE("comparing finds exactly the names that differ") {
    const std::uint64_t seed = test::test_seed(2);
    MESSAGE("seed " << seed);
    for (const Names names :
         {Names::kAny, Names::kEndingPages, Names::kNeverEnding, Names::kHeavy}) {
      CAPTURE(static_cast<int>(names));
      MemoryTreeStore trees;
      SeededRandom random(seed);
      Entries first;
      while (first.size() < 50) {
        const Entry entry = random_entry(random, names);
        first.insert_or_assign(entry.name.text(), entry);
      }
      for (int round = 0; round < 60; ++round) {
        Entries second = first;
        Entries put;
        std::vector<std::string> removed;
        edit_at_random(random, names, put, removed, second);
        Entries rebuilt = first;
        REQUIRE(compare_directories(trees, build(trees, first).page, build(trees, second).page,
                                    [&](const auto& one) {
                                      const std::string name = one.name().text();
                                      CHECK((one.first != nullptr) == rebuilt.contains(name));
                                      if (one.first != nullptr) CHECK(*one.first == rebuilt[name]);
                                      rebuilt.erase(name);
                                      if (one.second != nullptr) rebuilt.emplace(name, *one.second);
                                      return Result<void>();
                                    }));
        REQUIRE(rebuilt == second);
        first = second;
      }
    }
  }

  TEST_CASE("comparing skips pages that moved to another place in their list") {
    CountingTreeStore trees;
    Entries entries = numbered_files(100'000);
    const PageId first = build(trees, entries).page;
    for (std::uint64_t i = 0; i < 300; ++i)
      entries["a" + numbered(i)] = file_named("a" + numbered(i));
    const PageId second = build(trees, entries).page;
    const Cost cost(trees);
    int differences = 0;
    REQUIRE(compare_directories(trees, first, second, [&](const auto&) {
      ++differences;
      return Result<void>();
    }));
    CHECK(differences == 300);
    CHECK(cost.pages_read() <= 20);
  }

  TEST_CASE("a visitor's error ends the comparison") {
    MemoryTreeStore trees;
    const PageId first = build(trees, numbered_files(3)).page;
    int visits = 0;
    const Result<void> result =
        compare_directories(trees, first, empty_directory_page(), [&](const auto&) {
          ++visits;
          return Result<void>(Error{.code = EINTR});
        });
    REQUIRE_FALSE(result);
    CHECK(result.error().code == EINTR);
    CHECK(visits == 1);
  }

  TEST_CASE("a cursor starts at any rank and any name") {
    CountingTreeStore trees;
    const Entries entries = numbered_files(20'000);
    const PageId directory = build(trees, entries).page;
    for (const std::uint64_t rank : {0U, 1U, 127U, 128U, 9'999U, 19'999U, 20'000U, 30'000U}) {
      CAPTURE(rank);
      const Cost cost(trees);
      const auto by_rank = DirectoryCursor::at_rank(trees, directory, rank);
      REQUIRE(by_rank);
      CHECK(cost.pages_read() <= 3);
      CHECK(by_rank->at_end() == (rank >= 20'000));
      CHECK(by_rank->rank() == std::min<std::uint64_t>(rank, 20'000));
      if (by_rank->at_end()) continue;
      CHECK(by_rank->entry().name.text() == numbered(rank));
      const auto by_name = DirectoryCursor::at_name(trees, directory, numbered(rank));
      REQUIRE(by_name);
      CHECK(by_name->rank() == rank);
      CHECK(by_name->entry() == by_rank->entry());
    }
    CHECK(DirectoryCursor::at_name(trees, directory, "")->rank() == 0);
    CHECK(DirectoryCursor::at_name(trees, directory, "z")->at_end());
    CHECK(DirectoryCursor::at_name(trees, directory, numbered(5) + "x")->rank() == 6);
    CHECK(list_directory(trees, directory)->size() == 20'000);
  }

  TEST_CASE("a path is followed with the file ids that it has") {
    MemoryTreeStore trees;
    Entry inner = file_named("inner");
    Entry outer = file_named("outer");
    outer.kind = Kind::kDirectory;
    outer.file_id = FileId{{std::byte{7}}};
    outer.directory = build(trees, {{"inner", inner}});
    Root root = empty_tree();
    root.directory = build(trees, {{"outer", outer}});
    const auto path = [](std::string_view text) { return *RelativePath::parse(text); };
    const auto located = locate_path(trees, root, path("outer/inner"));
    REQUIRE((located && *located));
    CHECK((*located)->entry == inner);
    CHECK((*located)->file_id == default_file_id(*outer.file_id, inner.name));
    CHECK((*find_path(trees, root, path("")))->is_directory());
    CHECK_FALSE(*find_path(trees, root, path("outer/inner/deeper")));
    CHECK_FALSE(*find_path(trees, root, path("other")));
  }

  TEST_CASE("a page that contradicts its index is refused") {
    MemoryTreeStore trees;
    const PageId directory = build(trees, numbered_files(1000)).page;
    const auto top = trees.get_directory_page(directory);
    REQUIRE(top);
    REQUIRE((*top)->level == 1);
    const auto refuses = [&](auto&& spoil) {
      DirectoryPage page = **top;
      spoil(page);
      const PageId spoiled = *trees.put_page(page);
      const auto listed = list_directory(trees, spoiled);
      return !listed && listed.error().code == EUCLEAN;
    };
    CHECK_FALSE(refuses([](DirectoryPage&) {}));
    CHECK(refuses([](DirectoryPage& page) { page.level = 2; }));
    CHECK(refuses([](DirectoryPage& page) { page.children[1].summary.entries += 1; }));
    CHECK(refuses([](DirectoryPage& page) { page.children[1].summary.marked = true; }));
    CHECK(refuses([](DirectoryPage& page) { page.children[1].last_key += "x"; }));
    CHECK(refuses([](DirectoryPage& page) { page.children[1].page = page.children[0].page; }));
    CHECK(refuses(
        [](DirectoryPage& page) { page.children[0].last_key = page.children[1].last_key; }));
  }
}

}  // namespace
}  // namespace satchel::store
