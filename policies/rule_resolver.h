// Rules as they hold in one view: `~` and variables replaced, conditions decided.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "policies/places.h"
#include "policies/rule_parser.h"

namespace satchel::policies {

/// Rules whose patterns all begin at the root, without those that match nothing in this view.
struct ResolvedRules {
  static constexpr std::size_t kComponentsMax = 2'000'000;

  std::vector<Rule> rules{};
  std::vector<RuleFault> faults{};
};

/// Faults: a person's rule whose variable leads out of the home directory, or too many names in
/// all.
ResolvedRules resolve_rules(std::vector<Rule> rules, const ViewOptions& options);

/// One line for each pattern, in the order of the rules: everything that decides and nothing else.
/// `rules` are resolved.
std::string canonical_text(std::span<const Rule> rules);

}  // namespace satchel::policies
