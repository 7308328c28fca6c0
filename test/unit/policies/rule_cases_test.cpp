#include "policies/rule_cases.h"

#include <doctest/doctest.h>

#include <string>

namespace satchel::policies {
namespace {

Result<std::vector<RuleCase>> parse(const std::string& text) {
  return parse_cases({.name = "x.cases", .text = text});
}

TEST_SUITE("policies/rule_cases") {
  TEST_CASE("a case that the rules answer otherwise is told with the rule that decided") {
    const RuleFile file{.name = "x.rules", .text = "satchel-rules 1\n[default]\nlocal ~/a\n"};
    const Result<RuleSet> rules = RuleSet::make(std::span(&file, 1), case_view());
    REQUIRE(rules);
    const auto cases = parse("~/a local\n\"~/a b\" sync class=sysdata # why\n/x/ local\n");
    REQUIRE(cases);
    CHECK((*cases)[1].path.text() == "home/ada/a b");
    CHECK((*cases)[2].kind == PathKind::kDirectory);
    CHECK(failed_cases(*rules, *cases) ==
          std::vector<std::string>{"x.cases:3: /x: expected `local`, and the rules say `sync "
                                   "class=sysdata` (sync /** class=sysdata, built-in)"});
  }

  TEST_CASE("keys of a case stand in any order") {
    const auto cases = parse("~/a sync secret=yes class=data\n");
    REQUIRE(cases);
    CHECK((*cases)[0].expected == "sync class=data secret=yes");
  }

  TEST_CASE("a case that cannot be read is named by its line") {
    struct Row {
      std::string text;
      std::string message;
    };
    const Row rows[] = {
        {"a sync\n", "x.cases:1: a path begins in `~` or `/`"},
        {"\n~/a\n", "x.cases:2: the expected action is missing"},
        {"/a/../b local\n", "x.cases:1: '.' and '..' are not file names here"},
        {"\"~/a local\n", "x.cases:1: the quote is not closed"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto cases = parse(row.text);
      REQUIRE_FALSE(cases);
      CHECK(cases.error().message == row.message);
      CHECK(cases.error().sat == Sat::kRuleSyntax);
    }
  }
}

}  // namespace
}  // namespace satchel::policies
