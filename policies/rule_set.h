// Rules compiled for one view: what becomes of a path.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/matcher.h"
#include "policies/places.h"
#include "policies/rule.h"
#include "policies/rule_parser.h"

namespace satchel::policies {

/// What the rules have seen of the path of one directory: descending from it costs one name, so a
/// view keeps it with the directory. A value; small; outlives no rule set.
class DirectoryState {
 private:
  friend class RuleSet;
  explicit DirectoryState(MatchStatePtr state) : state_(std::move(state)) {}
  void enter(const MatchState& state);
  [[nodiscard]] std::size_t group_root_names(const GroupRoot& root) const;

  MatchStatePtr state_;
  std::size_t names_ = 0;  ///< in the path
  /// Where groups began whose root can be at any depth: mark, count of names. Mostly empty.
  std::vector<std::pair<std::uint32_t, std::size_t>> marks_;
};

/// One rule as it was written, for people. Its texts live as long as the rule set.
struct RuleLine {
  std::string_view text;
  std::string_view origin;  ///< "file:line", or "built-in"
  std::string_view app;     ///< whose block it stands in; empty outside of one
};

/// The rules of some files, over the built-in last resort by which every path falls somewhere. The
/// last rule that matches a path decides; a rule without `class=` leaves the class to the rule it
/// overrides.
///
/// A decision costs one step for each name of the path, however many rules there are. Its texts
/// live as long as the rule set. Immutable; thread-safe; movable.
class RuleSet {
 public:
  /// `files` in the order of reading (arrange_rule_files()). Errors: EINVAL with kRuleSyntax or
  /// kNewerFormat, its message a line for each fault.
  static Result<RuleSet> make(std::span<const RuleFile> files, const ViewOptions& options);
  RuleSet(RuleSet&&) noexcept;
  RuleSet& operator=(RuleSet&&) noexcept;
  ~RuleSet();

  [[nodiscard]] Decision decide(const RelativePath& path, PathKind kind) const;

  /// The same by steps. The state of the view's root, and of a directory in a directory.
  [[nodiscard]] DirectoryState root() const;
  [[nodiscard]] DirectoryState descend(const DirectoryState& directory, const Name& name) const;
  [[nodiscard]] DirectoryState descend(const RelativePath& directory) const;
  [[nodiscard]] Decision decide(const DirectoryState& directory, const Name& name,
                                PathKind kind) const;
  /// The action alone, for half the cost.
  [[nodiscard]] Action action(const DirectoryState& directory, const Name& name,
                              PathKind kind) const;
  [[nodiscard]] Below below(const DirectoryState& directory) const;

  /// Those that match anything in this view, in the order in which they are read.
  [[nodiscard]] std::vector<RuleLine> lines() const;
  /// All that decides, one line for each pattern with `~` and variables replaced. Equal texts
  /// decide alike, on any device.
  [[nodiscard]] const std::string& canonical_text() const;

 private:
  struct Compiled;
  explicit RuleSet(std::unique_ptr<const Compiled> compiled);
  [[nodiscard]] DirectoryState walk(std::string_view path) const;
  [[nodiscard]] Decision decision_of(const DirectoryState& at, PathKind kind) const;

  std::unique_ptr<const Compiled> compiled_;
};

/// All faults of `files`; none: make() succeeds.
std::vector<RuleFault> check_rules(std::span<const RuleFile> files, const ViewOptions& options);

}  // namespace satchel::policies
