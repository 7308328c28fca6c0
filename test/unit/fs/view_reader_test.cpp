#include "fs/view_reader.h"

#include <doctest/doctest.h>

#include <string>

#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

using LastLink = ViewReader::LastLink;

RelativePath path_of(const std::string& text) {
  return RelativePath::parse(text).value();
}

/// home/.config is a link into the view, away a link that leads above the root.
void fill_home(Side& side) {
  REQUIRE(side.make_directory("home", 0755) == 0);
  REQUIRE(side.make_directory("dotfiles", 0755) == 0);
  REQUIRE(side.make_file("dotfiles/b", 0644) == 0);
  REQUIRE(side.write("dotfiles/b", 0, "text of b") == 0);
  REQUIRE(side.make_file("dotfiles/a", 0000) == 0);
  REQUIRE(side.make_symlink("dotfiles/link", "b") == 0);
  REQUIRE(side.make_symlink("home/.config", "../dotfiles/.") == 0);
  REQUIRE(side.make_symlink("home/absolute", "/dotfiles") == 0);
  REQUIRE(side.make_symlink("away", "../../../dotfiles") == 0);
  REQUIRE(side.make_symlink("circle", "circle") == 0);
  REQUIRE(side.make_fifo("fifo", 0644) == 0);
}

TEST_SUITE("fs/view_reader") {
  TEST_CASE("files of the base and of the upper are read, and nothing stays looked up") {
    PlainDirectory plain;
    fill_home(plain);
    Workspace workspace(plain.fd());
    REQUIRE(workspace.make_file("dotfiles/new", 0600) == 0);
    REQUIRE(workspace.write("dotfiles/new", 0, std::string(70000, 'n')) == 0);
    const auto nodes = workspace.view().counts()->nodes;
    const ViewReader reader(workspace.view());
    for (const std::string directory : {"dotfiles", "home/.config", "home/absolute", "away"}) {
      CAPTURE(directory);
      CHECK(reader.read_file(path_of(directory + "/b"), 100).value() == "text of b");
      CHECK(reader.read_file(path_of(directory + "/new"), 70000)->size() == 70000);
      CHECK(reader.read_file(path_of(directory + "/a"), 0).value().empty());
      std::string names;
      const std::vector<Name> listed = reader.list(path_of(directory), 4).value();
      for (const Name& name : listed) names += name.text() + " ";
      CHECK(names == "a b link new ");
    }
    CHECK(workspace.view().counts()->nodes == nodes);
    CHECK(workspace.view().counts()->handles == 0);
  }

  TEST_CASE("what cannot be read says why, and where") {
    PlainDirectory plain;
    fill_home(plain);
    Workspace workspace(plain.fd());
    const ViewReader reader(workspace.view());
    struct Row {
      std::string path;
      int code;
    };
    const Row rows[] = {
        {"none", ENOENT},         {"none/x", ENOENT}, {"dotfiles/b/x", ENOTDIR},
        {"dotfiles/link", ELOOP}, {"circle", ELOOP},  {"circle/x", ELOOP},
        {"dotfiles", EINVAL},     {"fifo", EINVAL},   {"", EINVAL},
    };
    for (const Row& row : rows) {
      CAPTURE(row.path);
      const auto text = reader.read_file(path_of(row.path), 100);
      REQUIRE_FALSE(text.has_value());
      CHECK(text.error().code == row.code);
      CHECK(text.error().path == "/" + row.path);
    }
    CHECK(reader.read_file(path_of("dotfiles/b"), 8).error().code == EFBIG);
    CHECK(reader.list(path_of("dotfiles"), 2).error().code == EFBIG);
    CHECK(reader.list(path_of("dotfiles/b"), 2).error().code == ENOTDIR);
    CHECK(reader.list(path_of("none"), 2).error().code == ENOENT);
    CHECK(reader.read_link(path_of("dotfiles/link")).value() == "b");
    CHECK(reader.read_link(path_of("dotfiles/b")).error().code == EINVAL);
    CHECK(reader.read_link(path_of("none")).error().code == ENOENT);
  }

  TEST_CASE("a mode is that of a link or of what it leads to") {
    PlainDirectory plain;
    fill_home(plain);
    Workspace workspace(plain.fd());
    const ViewReader reader(workspace.view());
    CHECK(S_ISLNK(**reader.find_mode(path_of("dotfiles/link"), LastLink::kKeep)));
    CHECK(S_ISREG(**reader.find_mode(path_of("dotfiles/link"), LastLink::kFollow)));
    CHECK(S_ISDIR(**reader.find_mode(path_of("home/.config"), LastLink::kFollow)));
    CHECK(S_ISDIR(**reader.find_mode({}, LastLink::kFollow)));
    CHECK_FALSE(reader.find_mode(path_of("none"), LastLink::kFollow)->has_value());
    CHECK_FALSE(reader.find_mode(path_of("dotfiles/b/x"), LastLink::kFollow)->has_value());
    CHECK(reader.find_mode(path_of("circle"), LastLink::kFollow).error().code == ELOOP);
  }
}

}  // namespace
}  // namespace satchel::fs::test
