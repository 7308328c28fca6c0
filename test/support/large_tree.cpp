#include "test/support/large_tree.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "store/directory.h"
#include "store/tree_edit.h"

namespace satchel::test {
namespace {

using store::DirectoryBuilder;
using store::Entry;
using store::Root;

Entry directory_named(std::string_view name, const store::DirectoryRef& directory) {
  Entry entry;
  entry.name = Name::checked(name);
  entry.kind = store::Kind::kDirectory;
  entry.directory = directory;
  return entry;
}

template <typename T>
T value_of(Result<T> result) {
  REQUIRE(result);
  return *std::move(result);
}

}  // namespace

Entry make_file(std::string_view name, std::uint8_t seed) {
  Entry entry;
  entry.name = Name::checked(name);
  entry.attributes.mode = 0644;
  entry.content.size = seed;
  if (seed > 0) entry.content.digest.bytes[0] = std::byte{seed};
  return entry;
}

Root make_wide_tree(store::TreeStore& trees, unsigned directories, unsigned files) {
  Root root = store::empty_tree();
  DirectoryBuilder names(trees);
  bool is_built = true;
  for (unsigned i = 0; i < directories; ++i) {
    DirectoryBuilder contents(trees);
    // One file is different, so that no two directories are one page.
    is_built = is_built && contents.append(make_file(fmt::format("a{:04}", i)));
    for (unsigned k = 1; k < files; ++k) {
      is_built = is_built && contents.append(make_file(fmt::format("f{:04}", k)));
    }
    const auto directory = directory_named(fmt::format("d{:04}", i), value_of(contents.finish()));
    is_built = is_built && names.append(directory);
  }
  REQUIRE(is_built);
  root.directory = value_of(names.finish());
  return root;
}

Root make_deep_tree(store::TreeStore& trees, unsigned depth, const Entry& innermost) {
  Root root = store::empty_tree();
  Entry entry = innermost;
  for (unsigned i = 0; i <= depth; ++i) {
    DirectoryBuilder builder(trees);
    REQUIRE(builder.append(entry));
    root.directory = value_of(builder.finish());
    entry = directory_named("d", root.directory);
  }
  return root;
}

Root with_entry(store::TreeStore& trees, const Root& root, const std::string& directory,
                const Entry& entry) {
  const std::string path = directory.empty() ? "" : directory + "/";
  return value_of(edit_tree(trees, root, {{path + entry.name.text(), entry}}));
}

}  // namespace satchel::test
