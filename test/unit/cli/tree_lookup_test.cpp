#include "cli/tree_lookup.h"

#include <doctest/doctest.h>

#include <string>

#include "store/directory.h"

namespace satchel::cli {
namespace {

using store::DirectoryBuilder;
using store::Entry;
using store::Kind;
using store::Root;

Entry entry_of(const std::string& name, Kind kind) {
  Entry entry;
  entry.name = Name::checked(name);
  entry.kind = kind;
  return entry;
}

Entry link_to(const std::string& name, const std::string& target) {
  Entry entry = entry_of(name, Kind::kSymlink);
  entry.target = target;
  return entry;
}

/// /bin → usr/bin, /loop → loop, /up → ../../usr, /usr/bin/sh → tool, /usr/bin/tool, /usr/abs →
/// /usr/bin
Root make_tree(store::TreeStore& trees) {
  DirectoryBuilder bin(trees);
  REQUIRE(bin.append(link_to("sh", "tool")).has_value());
  Entry tool = entry_of("tool", Kind::kFile);
  tool.content = {{}, 5};
  REQUIRE(bin.append(tool).has_value());
  Entry bin_entry = entry_of("bin", Kind::kDirectory);
  bin_entry.directory = *bin.finish();
  DirectoryBuilder usr(trees);
  REQUIRE(usr.append(link_to("abs", "/usr/bin")).has_value());
  REQUIRE(usr.append(bin_entry).has_value());
  Entry usr_entry = entry_of("usr", Kind::kDirectory);
  usr_entry.directory = *usr.finish();
  DirectoryBuilder root(trees);
  REQUIRE(root.append(link_to("bin", "usr/bin")).has_value());
  REQUIRE(root.append(link_to("loop", "loop")).has_value());
  REQUIRE(root.append(link_to("up", "../../usr")).has_value());
  REQUIRE(root.append(usr_entry).has_value());
  Root tree = store::empty_tree();
  tree.directory = *root.finish();
  return tree;
}

TEST_SUITE("cli/tree_lookup") {
  TEST_CASE("links are followed as in a chroot of the tree") {
    store::MemoryTreeStore trees;
    const Root tree = make_tree(trees);
    struct Row {
      std::string path;
      LastLink last;
      std::string found;
    };
    const Row rows[] = {
        {"/", LastLink::kFollow, ""},
        {"/bin", LastLink::kKeep, "bin"},
        {"/bin", LastLink::kFollow, "usr/bin"},
        {"/bin/sh", LastLink::kFollow, "usr/bin/tool"},
        {"/bin/sh", LastLink::kKeep, "usr/bin/sh"},
        {"/up/abs/tool", LastLink::kFollow, "usr/bin/tool"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.path);
      const auto found = find_in_tree(trees, tree, *RelativePath::parse(row.path), row.last);
      REQUIRE(found.has_value());
      CHECK(found->path.text() == row.found);
    }
  }

  TEST_CASE("what is not there is said as the kernel says it") {
    store::MemoryTreeStore trees;
    const Root tree = make_tree(trees);
    const auto code = [&](const std::string& path) {
      const auto found = find_in_tree(trees, tree, *RelativePath::parse(path), LastLink::kFollow);
      return found ? 0 : found.error().code;
    };
    CHECK(code("/usr/nothing") == ENOENT);
    CHECK(code("/usr/bin/tool/x") == ENOTDIR);
    CHECK(code("/loop") == ELOOP);
    CHECK(code("/loop/x") == ELOOP);
  }
}

}  // namespace
}  // namespace satchel::cli
