#include "store/page.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/sha256.h"
#include "store/format_error.h"

namespace satchel::store {
namespace {

Entry file_named(std::string_view name) {
  Entry entry;
  entry.name = Name::checked(name);
  return entry;
}

/// `count` names in order, none of which ends a page.
std::vector<std::string> inner_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; names.size() < count; ++i) {
    const std::string digits = std::to_string(i);
    std::string name = std::string(8 - digits.size(), '0') + digits;
    if (!key_ends_page(name, 0)) names.push_back(std::move(name));
  }
  return names;
}

DirectoryPage page_of(const std::vector<std::string>& names) {
  DirectoryPage page;
  for (const std::string& name : names) page.items.push_back(file_named(name));
  return page;
}

DirectoryPage index_page() {
  DirectoryPage page;
  page.level = 1;
  page.children = {{"b", PageId{{std::byte{1}}}, {2, 1, true}},
                   {"d", PageId{{std::byte{2}}}, {2, 0, false}}};
  return page;
}

Sat refusal_of(const DirectoryPage& page) {
  const auto result = decode_directory_page(encode_page(page));
  REQUIRE_FALSE(result);
  return result.error().sat;
}

TEST_SUITE("store/page") {
  TEST_CASE("pages of entries, links and children decode to themselves") {
    const DirectoryPage leaf = page_of(inner_names(kPageItemsMax));
    const auto read_leaf = decode_directory_page(encode_page(leaf));
    REQUIRE(read_leaf);
    CHECK(read_leaf->items == leaf.items);

    const auto read_index = decode_directory_page(encode_page(index_page()));
    REQUIRE(read_index);
    CHECK(read_index->level == 1);
    CHECK(read_index->children == index_page().children);

    LinkPage links;
    links.items = {{root_file_id(), "a"}, {root_file_id(), std::string(kLinkPathBytesMax, 'p')}};
    const auto read_links = decode_link_page(encode_page(links));
    REQUIRE(read_links);
    CHECK(read_links->items == links.items);
  }

  TEST_CASE("a page that is cut or longer anywhere is refused") {
    std::vector<std::byte> bytes = encode_page(index_page());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK_FALSE(decode_directory_page(Bytes(bytes).first(size)));
    }
    bytes.push_back(std::byte{0});
    CHECK_FALSE(decode_directory_page(bytes));
  }

  TEST_CASE("a page that no writer makes is refused") {
    DirectoryPage disordered = page_of({"b", "a"});
    CHECK(refusal_of(disordered) == Sat::kContradiction);
    CHECK(refusal_of(page_of({"a", "a"})) == Sat::kContradiction);
    CHECK(refusal_of(page_of(inner_names(kPageItemsMax + 1))) == Sat::kLimit);

    DirectoryPage no_children;
    no_children.level = 1;
    CHECK(refusal_of(no_children) == Sat::kContradiction);
    DirectoryPage too_high = index_page();
    too_high.level = kPageLevelMax + 1;
    CHECK(refusal_of(too_high) == Sat::kContradiction);
    DirectoryPage too_many_directories = index_page();
    too_many_directories.children[0].summary.subdirectories = 3;
    CHECK(refusal_of(too_many_directories) == Sat::kLimit);
  }

  TEST_CASE("a page of links is not one of entries") {
    const auto result = decode_directory_page(encode_page(LinkPage{}));
    REQUIRE_FALSE(result);
    CHECK(result.error().sat == Sat::kNewerFormat);
  }

  TEST_CASE("a page must end where a name says so, but not with its first item") {
    std::string ending;
    for (std::size_t i = 0; ending.empty(); ++i) {
      if (key_ends_page("n" + std::to_string(i), 0)) ending = "n" + std::to_string(i);
    }
    CHECK(decode_directory_page(encode_page(page_of({ending, ending + "x"}))));
    CHECK(decode_directory_page(encode_page(page_of({"a", ending}))));
    CHECK(refusal_of(page_of({"a", ending, ending + "x"})) == Sat::kContradiction);
  }

  TEST_CASE("the cut looks at other bits of the name's hash on each level") {
    const std::string name = "name";
    const Sha256Value hash = sha256(as_bytes(name));
    for (std::uint8_t level = 0; level <= kPageLevelMax; ++level) {
      const auto low = std::to_integer<unsigned>(hash[2U * (level % 16U)]);
      CHECK(key_ends_page(name, level) == (low % 128 == 0));
    }
  }

  TEST_CASE("every reader knows the empty page") {
    CHECK(empty_directory_page() == PageId{sha256(encode_page(DirectoryPage{}))});
    CHECK(empty_link_page() == PageId{sha256(encode_page(LinkPage{}))});
    CHECK(empty_directory_page() != empty_link_page());
  }
}

}  // namespace
}  // namespace satchel::store
