#include "policies/user_dirs.h"

#include <doctest/doctest.h>

#include <string>

#include "policies/rule_set.h"

namespace satchel::policies {
namespace {

RelativePath path_of(const std::string& text) {
  Result<RelativePath> path = RelativePath::parse(text);
  REQUIRE(path);
  return *std::move(path);
}

TEST_SUITE("policies/user_dirs") {
  TEST_CASE("a line names the place of a variable, and anything else says nothing") {
    struct Row {
      std::string line;
      std::string variable;
      std::string place;  ///< empty: the variable is not set
    };
    const Row rows[] = {
        {"XDG_DOCUMENTS_DIR=\"$HOME/Dokumente\"", "XDG_DOCUMENTS_DIR", "home/ada/Dokumente"},
        {"  XDG_DOCUMENTS_DIR=\"$HOME/Dokumente\"", "XDG_DOCUMENTS_DIR", "home/ada/Dokumente"},
        {"XDG_MUSIC_DIR=\"/srv/music\"", "XDG_MUSIC_DIR", "srv/music"},
        {"XDG_PICTURES_DIR=\"$HOME/My \\\"best\\\"\"", "XDG_PICTURES_DIR", "home/ada/My \"best\""},
        {"XDG_DESKTOP_DIR=\"$HOME/\"", "XDG_DESKTOP_DIR", "home/ada"},
        {"# XDG_MUSIC_DIR=\"/srv/music\"", "XDG_MUSIC_DIR", ""},
        {"XDG_MUSIC_DIR=/srv/music", "XDG_MUSIC_DIR", ""},
        {"XDG_MUSIC_DIR=\"music\"", "XDG_MUSIC_DIR", ""},
        {"XDG_MUSIC_DIR=\"/srv/music", "XDG_MUSIC_DIR", ""},
        {"XDG_MUSIC_DIR=\"/srv/../etc\"", "XDG_MUSIC_DIR", ""},
        {"XDG_CONFIG_HOME=\"/etc\"", "XDG_CONFIG_HOME", ""},
        {"HOME_DIR=\"/etc\"", "HOME_DIR", ""},
        {"XDG_MUSIC_DIR", "XDG_MUSIC_DIR", ""},
        {"", "XDG_MUSIC_DIR", ""},
    };
    for (const Row& row : rows) {
      CAPTURE(row.line);
      Home home{.path = path_of("home/ada")};
      add_user_dirs(home, row.line);
      const auto found = home.variables.find(row.variable);
      CHECK((found == home.variables.end() ? "" : found->second.text()) == row.place);
    }
  }

  TEST_CASE("the last of several lines counts") {
    Home home{.path = path_of("home/ada")};
    add_user_dirs(home, "XDG_MUSIC_DIR=\"/a\"\nXDG_VIDEOS_DIR=\"/v\"\nXDG_MUSIC_DIR=\"/b\"\n");
    CHECK(home.variables.size() == 2);
    CHECK(home.variables.at("XDG_MUSIC_DIR") == path_of("b"));
  }

  TEST_CASE("a folder that is switched off is the home directory, and no rule reaches all of it") {
    Home home{.path = path_of("home/ada")};
    add_user_dirs(home, "XDG_DOWNLOAD_DIR=\"$HOME\"\n");
    const RuleFile file{.name = "x.rules",
                        .text = "satchel-rules 1\n[default]\nlocal $XDG_DOWNLOAD_DIR/**\n"};
    const Result<RuleSet> rules = RuleSet::make(std::span(&file, 1), {.homes = {home}});
    REQUIRE(rules);
    CHECK(rules->decide(path_of("home/ada/letter"), PathKind::kOther).travels());
  }
}

}  // namespace
}  // namespace satchel::policies
