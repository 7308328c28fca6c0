// What every TreeStore must do: one suite that each implementation's test runs.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "store/tree_store.h"

namespace satchel::test {

inline store::DirectoryPage page_of_names(const std::string& prefix, int count) {
  store::DirectoryPage page;
  for (int i = 0; i < count; ++i) {
    store::Entry entry;
    entry.name = Name::checked(prefix + std::to_string(1000 + i));
    entry.kind = store::Kind::kSymlink;
    entry.target = "somewhere";
    page.items.push_back(entry);
  }
  return page;
}

/// `trees` must be new. To be called from a test case.
inline void check_tree_store(store::TreeStore& trees) {
  SUBCASE("the empty lists are known to everybody and cost nothing") {
    CHECK(trees.get_directory_page(store::empty_directory_page()).value()->items.empty());
    CHECK(trees.get_link_page(store::empty_link_page()).value()->items.empty());
    CHECK(trees.put_page(store::DirectoryPage{}).value() == store::empty_directory_page());
    CHECK(trees.put_page(store::LinkPage{}).value() == store::empty_link_page());
    CHECK(trees.pages_encoded() == 0);
  }
  SUBCASE("pages come back as they were, at once") {
    const store::DirectoryPage page = page_of_names("n", 100);
    const store::PageId id = trees.put_page(page).value();
    CHECK((trees.get_directory_page(id).value()->items == page.items));
    store::LinkPage links;
    links.items.push_back({.file_id = store::root_file_id(), .path = "a/b"});
    const store::PageId links_id = trees.put_page(links).value();
    CHECK((trees.get_link_page(links_id).value()->items == links.items));
    CHECK(trees.pages_encoded() == 2);
  }
  SUBCASE("a page that is known already is not counted again") {
    const store::PageId first = trees.put_page(page_of_names("n", 3)).value();
    CHECK(trees.put_page(page_of_names("n", 3)).value() == first);
    CHECK(trees.put_page(page_of_names("m", 3)).value() != first);
    CHECK(trees.pages_encoded() == 2);
  }
  SUBCASE("roots and xattr sets come back as they were") {
    store::Root root = store::empty_tree();
    root.attributes.uid = 7;
    const store::RootId id = trees.put_root(root).value();
    CHECK(id == store::root_id(root));
    CHECK((trees.get_root(id).value() == root));
    const store::Xattrs xattrs = {{"user.a", std::string(1000, 'x')}};
    const auto set = trees.put_xattrs(store::encode_xattrs(xattrs)).value();
    CHECK((trees.get_xattrs(set).value() == xattrs));
    CHECK(trees.pages_encoded() == 0);
  }
  SUBCASE("what was never put is kMissingContent") {
    CHECK(trees.get_directory_page({}).error().sat == Sat::kMissingContent);
    CHECK(trees.get_link_page({}).error().sat == Sat::kMissingContent);
    CHECK(trees.get_xattrs({}).error().sat == Sat::kMissingContent);
    CHECK(trees.get_root({}).error().sat == Sat::kMissingContent);
  }
}

}  // namespace satchel::test
