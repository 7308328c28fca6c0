// The examples in satchel-rules(5) are true.
#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "policies/rule_cases.h"
#include "policies/rule_set.h"

namespace satchel::policies {
namespace {

/// The literal blocks of the page, each with its lines.
std::vector<std::string> examples() {
  std::ifstream page(SATCHEL_RULES_MAN_PAGE);
  REQUIRE(page);
  std::vector<std::string> blocks;
  bool is_inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line == "```") {
      is_inside = !is_inside;
      if (is_inside) blocks.emplace_back();
    } else if (is_inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

TEST_SUITE("policies/man_page") {
  TEST_CASE("each example of rules in the manual page is followed by what they do") {
    const std::vector<std::string> blocks = examples();
    REQUIRE(blocks.size() >= 8);
    REQUIRE(blocks.size() % 2 == 0);
    for (std::size_t i = 0; i < blocks.size(); i += 2) {
      CAPTURE(blocks[i]);
      const RuleFile file{.name = "50-mine.rules", .text = blocks[i]};
      REQUIRE(file.text.starts_with("satchel-rules 1\n"));
      std::string faults;
      for (const RuleFault& fault : check_rules(std::span(&file, 1), case_view())) {
        faults += to_text(fault) + "\n";
      }
      if (blocks[i + 1].starts_with(file.name)) {
        CHECK(faults == blocks[i + 1]);
        continue;
      }
      CHECK(faults.empty());
      const Result<RuleSet> rules = RuleSet::make(std::span(&file, 1), case_view());
      REQUIRE(rules);
      const auto cases = parse_cases({.name = "example", .text = blocks[i + 1]});
      if (!cases) FAIL(cases.error().message);
      for (const std::string& failure : failed_cases(*rules, *cases)) FAIL_CHECK(failure);
    }
  }
}

}  // namespace
}  // namespace satchel::policies
