// Recorded cases: what rules must say of paths that programs really write.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "policies/rule_set.h"

namespace satchel::policies {

/// One line `PATH ACTION [class=C] [group=APP/NAME@ROOT] [merge=M] [secret=yes]`. A path begins in
/// `~` or `/`, ends in `/` if it is a directory, and holds no wildcards. A key that does not stand
/// there expects the default; only what travels has a class.
struct RuleCase {
  RelativePath path{};
  PathKind kind = PathKind::kOther;
  std::string expected{};  ///< everything after the path, as answer_text() gives it
  std::string file{};
  std::size_t line = 0;
};

/// The view that cases speak of: a whole system, home/ada, and XDG_RUNTIME_DIR at
/// runtime-directory.
const ViewOptions& case_view();

/// `file` is a .cases file. Errors: EINVAL (kRuleSyntax), naming file and line.
Result<std::vector<RuleCase>> parse_cases(const RuleFile& file);

/// The answer of `rules`, made for case_view(), in the form of a case.
std::string answer_text(const RuleSet& rules, const RuleCase& asked);

/// One line for each case that `rules` answer otherwise.
std::vector<std::string> failed_cases(const RuleSet& rules, std::span<const RuleCase> cases);

}  // namespace satchel::policies
