#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <set>

#include "fs/listings.h"
#include "store/directory.h"
#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

/// Names from `offset` on, at most `limit`; moves `offset` on.
std::vector<std::string> some(View& view, HandleId handle, std::uint64_t& offset,
                              std::size_t limit) {
  std::vector<std::string> names;
  const auto listed = view.read_directory(handle, offset, [&](const View::DirectoryItem& item) {
    if (names.size() == limit) return false;
    names.push_back(item.name);
    offset = item.next_offset;
    return true;
  });
  REQUIRE(listed.has_value());
  return names;
}

std::vector<std::string> rest(View& view, HandleId handle, std::uint64_t& offset) {
  return some(view, handle, offset, SIZE_MAX);
}

/// As some(), as the kernel reads: by offsets alone.
std::vector<std::string> some(View& view, Listings& listings, std::uint64_t& kernel_offset,
                              std::size_t limit) {
  const auto listing = listings.at(kRootNode, kernel_offset).value();
  std::uint64_t offset = fs::Listing::from_kernel(kernel_offset);
  auto names = some(view, listing->handle(), offset, limit);
  kernel_offset = listing->to_kernel(offset);
  if (names.empty()) listings.end(*listing);
  return names;
}

std::string padded(int number) {
  std::string text = std::to_string(number);
  return std::string(5 - text.size(), '0') + text;
}

/// Base: b00000 … b00299 in the root. Upper: u00000 … u00299.
struct Wide {
  Wide() {
    for (int i = 0; i < 300; ++i) plain.make_file("b" + padded(i), 0644);
    workspace = std::make_unique<Workspace>(plain.fd());
    for (int i = 299; i >= 0; --i) {
      REQUIRE(workspace->make_file("u" + padded(i), 0644) == 0);
    }
  }
  PlainDirectory plain;
  std::unique_ptr<Workspace> workspace;
};

TEST_SUITE("fs/view: listing directories") {
  TEST_CASE_FIXTURE(Wide, "dots come first, then the base's names, then the others as they came") {
    View& view = workspace->view();
    const HandleId handle = view.open_directory(kRootNode).value();
    std::uint64_t offset = 0;
    const auto names = rest(view, handle, offset);
    REQUIRE(names.size() == 602);
    CHECK(names[0] == ".");
    CHECK(names[1] == "..");
    CHECK(names[2] == "b00000");
    CHECK(names[301] == "b00299");
    CHECK(names[302] == "u00299");
    CHECK(names[601] == "u00000");
    CHECK(rest(view, handle, offset).empty());
    view.release_directory(handle);
  }

  TEST_CASE_FIXTURE(Wide, "every name that stays is seen once, whatever happens meanwhile") {
    View& view = workspace->view();
    for (const std::size_t at : {0U, 1U, 2U, 100U, 301U, 302U, 303U, 500U}) {
      CAPTURE(at);
      const HandleId handle = view.open_directory(kRootNode).value();
      std::uint64_t offset = 0;
      auto names = some(view, handle, offset, at);
      // Removals and new names on both sides of the place.
      const std::string tag = padded(static_cast<int>(at));
      CHECK(workspace->make_file("a" + tag, 0644) == 0);
      CHECK(workspace->make_file("z" + tag, 0644) == 0);
      CHECK(workspace->unlink("a" + tag) == 0);
      CHECK(workspace->append("b00150", "now its own row") == 0);
      CHECK(workspace->rename("u00150", "u00150x", 0) == 0);
      CHECK(workspace->rename("u00150x", "u00150", 0) == 0);
      const auto more = rest(view, handle, offset);
      names.insert(names.end(), more.begin(), more.end());
      std::multiset<std::string> seen(names.begin(), names.end());
      for (int i = 0; i < 300; ++i) {
        CHECK(seen.count("b" + padded(i)) == 1);
        if (i != 150) CHECK(seen.count("u" + padded(i)) == 1);
      }
      view.release_directory(handle);
    }
  }

  TEST_CASE_FIXTURE(Wide, "a base switch in the middle loses no name and shows none twice") {
    for (const std::size_t at : {0U, 1U, 2U, 100U, 302U, 303U, 450U, 601U}) {
      CAPTURE(at);
      Wide wide;
      View& view = wide.workspace->view();
      CHECK(wide.workspace->make_file("b00050x", 0644) == 0);
      CHECK(wide.workspace->unlink("b00020") == 0);
      const HandleId handle = view.open_directory(kRootNode).value();
      std::uint64_t offset = 0;
      auto names = some(view, handle, offset, at);
      wide.workspace->commit();
      const auto more = rest(view, handle, offset);
      names.insert(names.end(), more.begin(), more.end());
      std::sort(names.begin(), names.end());
      CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
      CHECK(names.size() == 602);
      view.release_directory(handle);
    }
  }

  TEST_CASE_FIXTURE(Wide, "an offset is good for a new handle") {
    View& view = workspace->view();
    const HandleId first = view.open_directory(kRootNode).value();
    std::uint64_t offset = 0;
    (void)some(view, first, offset, 400);
    view.release_directory(first);
    const HandleId second = view.open_directory(kRootNode).value();
    CHECK(rest(view, second, offset).size() == 202);
    view.release_directory(second);
  }

  TEST_CASE_FIXTURE(Wide, "visiting may look names up") {
    View& view = workspace->view();
    const HandleId handle = view.open_directory(kRootNode).value();
    int found = 0;
    const auto listed = view.read_directory(handle, 0, [&](const View::DirectoryItem& item) {
      if (item.name == "." || item.name == "..") return true;
      const auto child = view.lookup(kRootNode, Name::checked(item.name));
      if (child && child->stat.ino == item.ino) ++found;
      if (child) view.forget(child->node, 1);
      return true;
    });
    CHECK(listed.has_value());
    CHECK(found == 600);
    view.release_directory(handle);
  }

  TEST_CASE_FIXTURE(
      Wide, "with look-ups, each item has what its name leads to, as far as there is room") {
    View& view = workspace->view();
    CHECK(workspace->append("b00007", "its own row") == 0);
    CHECK(workspace->unlink("b00008") == 0);
    CHECK(workspace->make_file("b00008", 0600) == 0);
    CHECK(workspace->make_directory("d", 0700) == 0);
    const HandleId handle = view.open_directory(kRootNode).value();
    std::set<std::string> seen;
    std::size_t room = 1;
    int wrong = 0;
    for (std::uint64_t offset = 0, last = 1; offset != last; room = room * 3 % 200 + 1) {
      last = offset;
      std::vector<std::pair<View::DirectoryItem, std::optional<NodeReply>>> listed;
      const auto read = view.read_directory_plus(
          handle, offset,
          {.has_room = [&](const View::DirectoryItem&) { return listed.size() < room; },
           .visit =
               [&](const View::DirectoryItem& item, const NodeReply* found) {
                 offset = item.next_offset;
                 listed.emplace_back(item, found != nullptr ? std::optional(*found) : std::nullopt);
               }});
      REQUIRE(read.has_value());
      CHECK(listed.size() <= room);
      for (const auto& [item, found] : listed) {
        if (!seen.insert(item.name).second) ++wrong;
        if (!found) {
          if (item.name != "." && item.name != "..") ++wrong;
          continue;
        }
        const auto again = view.lookup(kRootNode, Name::checked(item.name));
        const bool is_same = again && again->node == found->node && found->stat.ino == item.ino &&
                             again->stat.ino == item.ino && again->stat.mode == found->stat.mode &&
                             (found->stat.mode & S_IFMT) == item.type;
        if (!is_same) ++wrong;
        view.forget(found->node, 2);
      }
    }
    CHECK(wrong == 0);
    CHECK(seen.size() == 603);
    view.release_directory(handle);
    CHECK(view.counts().value().nodes == 1);
  }

  TEST_CASE_FIXTURE(Wide, "readers that open nothing keep their own place, over a base switch") {
    View& view = workspace->view();
    Listings listings(view);
    std::uint64_t first = 0;
    auto names = some(view, listings, first, 100);
    CHECK(workspace->make_file("b00000x", 0644) == 0);
    CHECK(workspace->unlink("b00250") == 0);
    workspace->commit();
    std::uint64_t second = 0;
    CHECK(some(view, listings, second, 2) == std::vector<std::string>{".", ".."});
    const auto more = some(view, listings, first, SIZE_MAX);
    names.insert(names.end(), more.begin(), more.end());
    CHECK(names.size() == 601);  // the new name stands before the place, or is not listed
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == 601);
    CHECK(some(view, listings, second, SIZE_MAX).size() == 600);
  }

  TEST_CASE_FIXTURE(Wide, "a listing that ended or was forgotten goes on where it was") {
    View& view = workspace->view();
    const auto open_handles = [&] { return view.counts().value().handles; };
    {
      Listings listings(view);
      std::uint64_t offset = 0;
      (void)some(view, listings, offset, 300);
      const std::uint64_t middle = offset;
      CHECK(some(view, listings, offset, SIZE_MAX).size() == 302);
      CHECK(some(view, listings, offset, SIZE_MAX).empty());
      CHECK(open_handles() == 0);
      offset = middle;
      CHECK(some(view, listings, offset, SIZE_MAX).size() == 302);
      for (int i = 0; i < 1000; ++i) {
        std::uint64_t other = 0;
        (void)some(view, listings, other, 1);
      }
      CHECK(open_handles() < 300);
      offset = middle;
      CHECK(some(view, listings, offset, SIZE_MAX).size() == 302);
    }
    CHECK(open_handles() == 0);
  }

  TEST_CASE("a file is no directory") {
    Workspace workspace;
    CHECK(workspace.make_file("f", 0644) == 0);
    const auto file = workspace.view().lookup(kRootNode, Name::checked("f"));
    CHECK(workspace.view().open_directory(file->node).error().code == ENOTDIR);
    CHECK(workspace.view().read_directory(HandleId{9}, 0, {}).error().code == EBADF);
  }
}

}  // namespace
}  // namespace satchel::fs::test
