#include "policies/default_rules.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "policies/rule_cases.h"

namespace satchel::policies {
namespace {

RuleSet default_rules() {
  Result<RuleSet> rules = RuleSet::make(default_rule_files(), case_view());
  if (!rules) FAIL(rules.error().message);
  return *std::move(rules);
}

std::vector<std::string> stems_of(const std::filesystem::path& folder, const std::string& suffix) {
  std::vector<std::string> stems;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == suffix) stems.push_back(entry.path().stem());
  }
  std::ranges::sort(stems);
  return stems;
}

std::vector<std::string> stems_of(std::span<const RuleFile> files) {
  std::vector<std::string> stems;
  for (const RuleFile& file : files) stems.push_back(file.name.substr(0, file.name.rfind('.')));
  return stems;
}

TEST_SUITE("policies/default_rules") {
  TEST_CASE("every recorded case is answered as recorded") {
    const RuleSet rules = default_rules();
    std::size_t count = 0;
    for (const RuleFile& file : default_case_files()) {
      const Result<std::vector<RuleCase>> cases = parse_cases(file);
      if (!cases) FAIL(cases.error().message);
      CHECK_MESSAGE(!cases->empty(), file.name);
      for (const std::string& failure : failed_cases(rules, *cases)) FAIL_CHECK(failure);
      count += cases->size();
    }
    CHECK(count >= 400);
  }

  TEST_CASE("each rule file in the folder is built in, in order, and has cases") {
    const std::filesystem::path folder = SATCHEL_DEFAULT_RULES;
    const std::vector<std::string> stems = stems_of(folder, ".rules");
    CHECK(stems_of(default_rule_files()) == stems);
    CHECK(stems_of(default_case_files()) == stems);
    CHECK(stems_of(folder / "cases", ".cases") == stems);
  }

  TEST_CASE("each rule decides some case of its file") {
    const RuleSet rules = default_rules();
    for (const RuleFile& file : default_case_files()) {
      const Result<std::vector<RuleCase>> cases = parse_cases(file);
      REQUIRE(cases);
      std::vector<std::string> origins;
      for (const RuleCase& asked : *cases) {
        origins.emplace_back(rules.decide(asked.path, asked.kind).origin);
      }
      const auto stem = file.name.substr(0, file.name.rfind('.'));
      const auto& rule_file =
          *std::ranges::find(default_rule_files(), stem + ".rules", &RuleFile::name);
      for (const Rule& rule : parse_rules(rule_file).rules) {
        const std::string origin = rule.file + ":" + std::to_string(rule.line);
        CHECK_MESSAGE(std::ranges::find(origins, origin) != origins.end(), origin, " ", rule.text);
      }
    }
  }
}

}  // namespace
}  // namespace satchel::policies
