// The rules that Satchel ships, and what they must say of recorded paths: built into the program.
#pragma once

#include <span>

#include "policies/rule_parser.h"

namespace satchel::policies {

/// policies/defaults/*.rules in the order of their names, as Owner::kShipped.
std::span<const RuleFile> default_rule_files();
/// policies/defaults/cases/*.cases, in the form of rule_cases.h: one file for each rule file.
std::span<const RuleFile> default_case_files();

}  // namespace satchel::policies
