// A rule file of any bytes: its faults have places, its patterns read as themselves, and rules
// without fault decide every path. The first byte chooses whose file it is.
#include <cstdint>
#include <string>
#include <string_view>

#include "policies/rule_set.h"

namespace {

using namespace satchel;            // NOLINT(google-build-using-namespace): a program of one file
using namespace satchel::policies;  // NOLINT(google-build-using-namespace)

constexpr std::string_view kPaths[] = {
    "",      "home/ada", "home/ada/.a/b",      "home/ada/a/.git/b/c",
    "etc/a", "usr/a/b",  "home/ada/b/b/b/b/a",
};

/// A pattern's own text has to give that pattern and no other.
void check_text(const Pattern& pattern) {
  const ParsedPattern again = parse_pattern(pattern.text());
  const auto* patterns = std::get_if<std::vector<Pattern>>(&again);
  SATCHEL_ASSERT(patterns != nullptr || pattern.text().size() > PatternLimits::kBytesMax);
  if (patterns != nullptr) SATCHEL_ASSERT(patterns->size() == 1 && patterns->front() == pattern);
}

void check_decisions(const RuleSet& rules) {
  for (const std::string_view text : kPaths) {
    const Result<RelativePath> path = RelativePath::parse(text);
    for (const PathKind kind : {PathKind::kDirectory, PathKind::kOther}) {
      const Decision decision = rules.decide(*path, kind);
      SATCHEL_ASSERT(!decision.rule.empty() && !decision.origin.empty());
      SATCHEL_ASSERT(decision.group_root_names <= path->names().size());
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);  // NOLINT: bytes
  const RuleFile file{
      .name = "f.rules", .owner = static_cast<Owner>(data[0] % 3), .text = std::string(text)};
  const ParsedRules parsed = parse_rules(file);
  SATCHEL_ASSERT(parsed.faults.size() <= RuleFileLimits::kFaultsMax);
  for (const RuleFault& fault : parsed.faults) {
    SATCHEL_ASSERT(fault.column <= text.size() + 1 && !to_text(fault).empty());
  }
  for (const Rule& rule : parsed.rules) {
    for (const Pattern& pattern : rule.patterns) check_text(pattern);
  }
  const ViewOptions view{.homes = {{.path = *RelativePath::parse("home/ada")}}};
  const Result<RuleSet> rules = RuleSet::make(std::span(&file, 1), view);
  SATCHEL_ASSERT(rules.has_value() == parsed.faults.empty());
  if (rules) check_decisions(*rules);
  return 0;
}
