#include "redirector/rule_router.h"

#include <doctest/doctest.h>

#include <string>

#include "policies/default_rules.h"

namespace satchel::redirector {
namespace {

using policies::Action;
using policies::RuleFile;
using policies::RuleSet;

RelativePath path_of(const std::string& text) {
  Result<RelativePath> path = RelativePath::parse(text);
  REQUIRE(path);
  return *std::move(path);
}

std::unique_ptr<Router> router_of(const std::string& rules, const std::string& home = "home/ada") {
  const RuleFile file{.name = "x.rules", .text = "satchel-rules 1\n[default]\n" + rules};
  Result<RuleSet> set = RuleSet::make(std::span(&file, 1), {.homes = {{.path = path_of(home)}}});
  if (!set) FAIL(set.error().message);
  return make_router(*std::move(set));
}

TEST_SUITE("redirector/rule_router") {
  TEST_CASE("a rule for directories sees what kind a path is") {
    const auto router = router_of("local ~/desk/\n");
    CHECK(router->decide(path_of("home/ada/desk"), store::Kind::kDirectory).action ==
          Action::kLocal);
    CHECK(router->decide(path_of("home/ada/desk"), store::Kind::kFile).action == Action::kSync);
    CHECK(router->decide(path_of("home/ada/desk"), store::Kind::kSymlink).action == Action::kSync);
  }

  TEST_CASE("coverage says what all paths below a directory have in common") {
    const auto router = router_of("local ~/a/**\nlocal ~/b/*.tmp\nsync ~/a/kept/**\n");
    struct Row {
      std::string directory;
      Coverage expected;
    };
    const Row rows[] = {
        {"usr/share", Coverage::kAll},    {"home/ada/a/x", Coverage::kNone},
        {"home/ada/a", Coverage::kMixed}, {"home/ada/a/kept", Coverage::kAll},
        {"home/ada/b", Coverage::kMixed}, {"home/ada/b/x", Coverage::kAll},
        {"home", Coverage::kMixed},       {"", Coverage::kMixed},
    };
    for (const Row& row : rows) {
      CAPTURE(row.directory);
      CHECK(router->coverage_below(path_of(row.directory)) == row.expected);
    }
  }

  TEST_CASE("rules that decide alike have one id, and others have another") {
    const auto id = [](const std::string& rules, const std::string& home = "home/ada") {
      return router_of(rules, home)->rules_id();
    };
    const store::RulesId plain = id("local ~/a\n");
    CHECK(id("# why\nlocal   ~/a # because\n") == plain);
    CHECK(id("local /home/ada/a\n") == plain);
    CHECK(id("local $XDG_CONFIG_HOME/a\n") == id("local ~/.config/a\n"));
    CHECK(id("local ~/a when=desktop:gnome\n") == id(""));
    CHECK(id("local ~/b\n") != plain);
    CHECK(id("local ~/a\n", "home/bob") != plain);
    CHECK(id("discard ~/a\n") != plain);
    CHECK(id("sync ~/a prio=1\n") != id("sync ~/a\n"));
    CHECK(id("local ~/a\nsync ~/b\n") != id("sync ~/b\nlocal ~/a\n"));
  }

  TEST_CASE("the shipped rules leave most of a system uniform") {
    Result<RuleSet> set =
        RuleSet::make(policies::default_rule_files(), {.homes = {{.path = path_of("home/ada")}}});
    REQUIRE(set);
    const auto router = make_router(*std::move(set));
    CHECK(router->coverage_below(path_of("usr")) == Coverage::kAll);
    CHECK(router->coverage_below(path_of("var/lib/dpkg/info")) == Coverage::kAll);
    CHECK(router->coverage_below(path_of("var/cache")) == Coverage::kNone);
    CHECK(router->coverage_below(path_of("tmp")) == Coverage::kNone);
    CHECK(router->coverage_below(path_of("boot")) == Coverage::kNone);
  }
}

}  // namespace
}  // namespace satchel::redirector
