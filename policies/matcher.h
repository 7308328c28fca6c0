// Follows a path through all rules at once, one step for each name.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "policies/rule.h"
#include "policies/rule_graph.h"

namespace satchel::policies {

/// What rules see of a path's kind.
enum class PathKind : std::uint8_t { kDirectory, kOther };

/// What the rules say of the paths below a directory, itself left out.
enum class Below : std::uint8_t {
  kAllTravel,    ///< every path that could ever stand there
  kNoneTravels,  ///< none of them
  kMixed,        ///< it depends on the path
};

/// What the matcher needs to know of a rule.
struct RuleTraits {
  std::optional<DataClass> data_class{};
  bool travels = true;
};

/// The deciding rule of a path. A value.
struct Outcome {
  RuleNumber rule = 0;
  DataClass data_class = DataClass::kSysdata;  ///< its own, or that of the rule it overrides
  GroupRoot group_root{};
  friend auto operator<=>(const Outcome&, const Outcome&) = default;
};

/// Where in the graph a path has led. Immutable.
struct MatchState {
  std::vector<NodeId> nodes{};       ///< from which rules can still match deeper; ascending
  std::vector<NodeId> glob_nodes{};  ///< those of them at which globs stand
  std::vector<std::uint32_t> marks{};
  std::array<Outcome, 2> outcomes{};  ///< by PathKind
  Below below = Below::kMixed;
  std::uint32_t number = 0;  ///< among the states that the matcher remembers
  bool is_remembered = false;
};
using MatchStatePtr = std::shared_ptr<const MatchState>;

/// Makes states as paths first need them and remembers them, so that a step is two look-ups in hash
/// tables however many rules there are. What is remembered is bounded: past the bound, which only
/// rules made for it reach, a step is computed anew each time.
///
/// Rule 0 must match every path and have a class. Thread-safe.
class Matcher {
 public:
  static constexpr std::size_t kRememberedNodesMax = 4'000'000;
  static constexpr std::size_t kRememberedStepsMax = 1'000'000;

  Matcher(RuleGraph graph, std::vector<RuleTraits> rules);

  [[nodiscard]] const MatchStatePtr& root() const { return root_; }
  [[nodiscard]] MatchStatePtr step(const MatchState& from, std::string_view name) const;
  /// What step() would say of `name`, and nothing else of it.
  [[nodiscard]] RuleNumber deciding_rule(const MatchState& from, std::string_view name,
                                         PathKind kind) const;

  /// Follows `path` from the root for as many names as are remembered, calling visit(state) after
  /// each, and takes these names off `path`. The result is the last state.
  template <typename Visit>
  MatchStatePtr follow(std::string_view& path, const Visit& visit) const;

 private:
  struct HashNumbers {
    std::size_t operator()(const std::vector<std::uint32_t>& numbers) const;
  };
  using ByNumbers = std::unordered_map<std::vector<std::uint32_t>, std::uint32_t, HashNumbers>;
  struct Memory {
    std::vector<MatchStatePtr> states;  ///< by number
    ByNumbers state_numbers;
    std::vector<std::uint32_t> otherwise;  ///< by state: where names lead that no rule speaks of
    NumberTable steps;                     ///< state and class → state
    ByNumbers classes;                     ///< of names that match globs
    std::size_t nodes = 0;
  };
  /// What matters of a name in one state. Names that are alike in it make the same step.
  struct Letter {
    std::uint32_t name = NameTable::kNone;  ///< as some rule spells it
    std::vector<NodeId> globs{};            ///< where its globs lead; ascending
    [[nodiscard]] bool is_other() const { return name == NameTable::kNone && globs.empty(); }
    [[nodiscard]] std::vector<std::uint32_t> key() const;
  };

  [[nodiscard]] Letter letter_of(const MatchState& from, std::string_view name) const;
  [[nodiscard]] const MatchState* find_step(const Memory& memory, const MatchState& from,
                                            const Letter& letter) const;
  void remember_step(Memory& memory, const MatchState& from, const Letter& letter,
                     const MatchState& next) const;
  MatchStatePtr remember(Memory& memory, MatchState state) const;
  [[nodiscard]] MatchState make_state(std::vector<NodeId> nodes) const;
  [[nodiscard]] Outcome outcome_of(const std::vector<NodeId>& nodes, PathKind kind) const;
  void settle_below(MatchState& state) const;
  [[nodiscard]] std::vector<NodeId> advance(const MatchState& from, const Letter& letter) const;

  RuleGraph graph_;
  std::vector<RuleTraits> rules_;
  mutable Guarded<Memory, std::shared_mutex> memory_;
  MatchStatePtr root_;
};

/// The first name of `path`, which is taken off with the slash after it.
inline std::string_view take_name(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view name = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  return name;
}

template <typename Visit>
MatchStatePtr Matcher::follow(std::string_view& path, const Visit& visit) const {
  const auto memory = memory_.lock_shared();
  const MatchState* state = root_.get();
  while (!path.empty()) {
    std::string_view rest = path;
    const MatchState* next = find_step(*memory, *state, letter_of(*state, take_name(rest)));
    if (next == nullptr) break;
    path = rest;
    state = next;
    visit(*state);
  }
  return memory->states[state->number];
}

}  // namespace satchel::policies
