#include "fs/view_groups.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "redirector/rule_router.h"
#include "test/unit/fs/view_fixture.h"

namespace satchel::fs {
namespace {

using store::PathGroup;
using store::QuietTerms;

std::string join(std::vector<std::string> paths) {
  std::ranges::sort(paths);
  std::string joined;
  for (const std::string& path : paths) joined += (joined.empty() ? "" : " ") + path;
  return joined;
}

RelativePath path_of(const std::string& text) {
  return RelativePath::parse(text).value();
}

std::unique_ptr<redirector::Router> router_of(const std::string& rules) {
  const policies::RuleFile file{.name = "x.rules", .text = "satchel-rules 1\n" + rules};
  auto set = policies::RuleSet::make(std::span(&file, 1), {});
  if (!set) FAIL(set.error().message);
  return redirector::make_router(*std::move(set));
}

/// Profiles are groups; in them `cache` is none, nor is what stands beside them.
constexpr const char* kRules =
    "[app browser]\n"
    "sync /browser/*//** class=sysdata group=profile\n"
    "local /browser/*/cache/**\n"
    "[app git]\n"
    "sync /p/**/.git//** class=data group=repo\n";

struct PlainProfiles : test::PlainDirectory {
  PlainProfiles() {
    REQUIRE(make_directory("browser", 0755) == 0);
    for (const std::string profile : {"browser/one", "browser/two"}) {
      for (const std::string& directory : {profile, profile + "/cache", profile + "/storage"}) {
        REQUIRE(make_directory(directory, 0755) == 0);
        REQUIRE(make_file(directory + "/file", 0644) == 0);
        REQUIRE(write(directory + "/file", 0, "base") == 0);
      }
    }
  }
};

struct Profiles {
  std::string members(const PathGroup& group) {
    std::vector<std::string> found;
    const auto listed = groups.list_members(group);
    REQUIRE(listed.has_value());
    for (const auto& [path, kind] : *listed) found.push_back(path.text());
    return join(std::move(found));
  }
  /// Paths of what has changed; "(open)" after those of open files.
  std::string unrest(const PathGroup& group, const QuietTerms& terms = {}) {
    std::vector<std::string> found;
    const auto searched = groups.find_unrest(group, terms);
    REQUIRE(searched.has_value());
    for (const auto& [path, cause] : *searched) {
      const bool is_open = cause == store::Unrest::Cause::kOpenForWriting;
      found.push_back(path.text() + (is_open ? "(open)" : ""));
    }
    return join(std::move(found));
  }
  QuietTerms seal() {
    const auto sealed = workspace.view().seal();
    REQUIRE(sealed.has_value());
    return {.unchanged_since = sealed->generation};
  }
  HandleId open(const std::string& path, int flags) {
    View& view = workspace.view();
    NodeId node = kRootNode;
    for (const Name& name : path_of(path).names()) node = view.lookup(node, name).value().node;
    return view.open_file(node, flags).value().handle;
  }

  PlainProfiles plain;
  test::Workspace workspace{plain.fd()};
  std::unique_ptr<redirector::Router> router = router_of(kRules);
  ViewGroups groups{workspace.view(), *router};
  const PathGroup one{.name = "browser/profile", .root = path_of("browser/one")};
  const PathGroup two{.name = "browser/profile", .root = path_of("browser/two")};
};

TEST_SUITE("fs/view_groups") {
  TEST_CASE_FIXTURE(Profiles, "a path belongs to the group that its rule names, at its root") {
    CHECK(groups.find_group(path_of("browser/one/x/y"), store::Kind::kFile) == one);
    CHECK(groups.find_group(path_of("browser/two/x"), store::Kind::kFile) == two);
    CHECK_FALSE(groups.find_group(path_of("browser/one"), store::Kind::kDirectory));
    CHECK_FALSE(groups.find_group(path_of("browser/one/cache/x"), store::Kind::kFile));
    const PathGroup repo{.name = "git/repo", .root = path_of("p/q/.git")};
    const auto nested =
        groups.find_group(path_of("p/q/.git/modules/m/.git/HEAD"), store::Kind::kFile);
    REQUIRE(nested);
    CHECK(nested->name == repo.name);
    CHECK(nested->root.text() == repo.root.text());
  }

  TEST_CASE_FIXTURE(Profiles, "members are what the view shows with the label, changed or not") {
    CHECK(members(one) ==
          "browser/one/cache browser/one/file browser/one/storage browser/one/storage/file");
    CHECK(workspace.make_file("browser/one/new", 0644) == 0);
    CHECK(workspace.unlink("browser/one/storage/file") == 0);
    CHECK(workspace.make_file("browser/one/cache/new", 0644) == 0);
    CHECK(workspace.make_file("browser/beside", 0644) == 0);
    CHECK(members(one) == "browser/one/cache browser/one/file browser/one/new browser/one/storage");
    CHECK(members({.name = "browser/profile", .root = path_of("browser/none")}).empty());
    CHECK(workspace.make_symlink("browser/three", "one") == 0);
    CHECK(members({.name = "browser/profile", .root = path_of("browser/three")}).empty());
  }

  TEST_CASE_FIXTURE(Profiles,
                    "who is open for writing is not quiet, though nothing is written yet") {
    CHECK(workspace.append("browser/one/storage/file", "x") == 0);
    const HandleId reader = open("browser/one/file", O_RDONLY);
    CHECK(unrest(one).empty());
    const HandleId of_base = open("browser/one/file", O_RDWR);
    const HandleId of_upper = open("browser/one/storage/file", O_WRONLY);
    const HandleId of_none = open("browser/one/cache/file", O_WRONLY);
    CHECK(unrest(one) == "browser/one/file(open) browser/one/storage/file(open)");
    CHECK(unrest(two).empty());
    for (const HandleId handle : {reader, of_base, of_upper, of_none}) {
      workspace.view().release(handle);
    }
    CHECK(unrest(one).empty());
  }

  TEST_CASE_FIXTURE(Profiles, "a writer counts under every name of its file") {
    CHECK(workspace.link("browser/one/file", "browser/two/link") == 0);
    const HandleId writer = open("browser/one/file", O_WRONLY);
    CHECK(unrest(one) == "browser/one/file(open)");
    CHECK(unrest(two) == "browser/two/link(open)");
    workspace.view().release(writer);
  }

  TEST_CASE_FIXTURE(Profiles, "a change after the seal is found, of whatever sort") {
    CHECK(workspace.append("browser/one/file", "before") == 0);
    CHECK(workspace.make_file("browser/one/mine", 0644) == 0);
    CHECK(workspace.make_directory("browser/one/storage/sub", 0755) == 0);
    struct Row {
      std::string what;
      std::function<int()> change;
      std::string expected;
    };
    const std::vector<Row> rows = {
        {"nothing", [] { return 0; }, ""},
        {"bytes", [&] { return workspace.append("browser/one/file", "x"); }, "browser/one/file"},
        {"bytes of the base", [&] { return workspace.append("browser/one/storage/file", "x"); },
         "browser/one/storage browser/one/storage/file"},
        {"mode", [&] { return workspace.change_mode("browser/one/mine", 0600); },
         "browser/one/mine"},
        {"a new name", [&] { return workspace.make_file("browser/one/storage/new", 0644); },
         "browser/one/storage browser/one/storage/new"},
        {"a name that goes", [&] { return workspace.unlink("browser/one/mine"); }, "browser/one"},
        {"a name that goes deeper", [&] { return workspace.unlink("browser/one/storage/new"); },
         "browser/one/storage"},
        {"the first change of what is no member gives its directory a row",
         [&] { return workspace.append("browser/one/cache/file", "x"); }, "browser/one"},
        {"what is no member", [&] { return workspace.append("browser/one/cache/file", "x"); }, ""},
        {"names where nothing travels",
         [&] { return workspace.make_file("browser/one/cache/new", 0644); }, ""},
        {"what stands beside", [&] { return workspace.make_file("browser/beside", 0644); }, ""},
        {"the profile moves away", [&] { return workspace.rename("browser/one", "browser/x", 0); },
         "browser/one"},
        {"and comes back", [&] { return workspace.rename("browser/x", "browser/one", 0); },
         "browser/one"},
        {"another takes its place",
         [&] { return workspace.rename("browser/two", "browser/one", RENAME_EXCHANGE); },
         "browser/one"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      const QuietTerms terms = seal();
      CHECK(row.change() == 0);
      CHECK(unrest(one, terms) == row.expected);
    }
  }

  TEST_CASE_FIXTURE(Profiles, "what changed a moment ago is not quiet for as long as was asked") {
    const QuietTerms terms{.unchanged_for = std::chrono::milliseconds(2'500)};
    workspace.clock().set({.seconds = 4'000'000'000, .nanoseconds = 100'000'000});
    CHECK(workspace.append("browser/one/file", "x") == 0);
    CHECK(unrest(one, terms) == "browser/one/file");
    CHECK(unrest(two, terms).empty());
    workspace.clock().advance_seconds(2);
    CHECK(unrest(one, terms) == "browser/one/file");
    workspace.clock().advance_seconds(1);
    CHECK(unrest(one, terms).empty());
    CHECK(unrest(one, {}).empty());
  }

  TEST_CASE_FIXTURE(Profiles, "a group is quiet again after a restart and a base switch") {
    CHECK(workspace.append("browser/one/file", "x") == 0);
    const QuietTerms terms = seal();
    workspace.reopen(/*crash=*/true);
    ViewGroups reopened(workspace.view(), *router);
    CHECK(reopened.find_unrest(one, terms).value().empty());
    workspace.commit();
    CHECK(reopened.find_unrest(one, terms).value().empty());
    CHECK(reopened.list_members(one).value().size() == 4);
  }
}

}  // namespace
}  // namespace satchel::fs
