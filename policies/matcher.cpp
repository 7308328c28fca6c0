#include "policies/matcher.h"

#include <algorithm>
#include <utility>

namespace satchel::policies {
namespace {

/// Names that match no pattern but `*`.
constexpr std::uint32_t kOtherNames = 0;

std::uint64_t step_key(std::uint32_t state, std::uint32_t name_class) {
  return (std::uint64_t{state} << 32U) | name_class;
}

/// What makes two states the same.
std::vector<std::uint32_t> key_of(const MatchState& state) {
  std::vector<std::uint32_t> key;
  key.reserve(state.nodes.size() + 16);
  for (const Outcome& outcome : state.outcomes) {
    key.insert(key.end(), {outcome.rule, static_cast<std::uint32_t>(outcome.data_class),
                           outcome.group_root.names, outcome.group_root.mark});
  }
  key.push_back(static_cast<std::uint32_t>(state.marks.size()));
  key.insert(key.end(), state.marks.begin(), state.marks.end());
  key.insert(key.end(), state.nodes.begin(), state.nodes.end());
  return key;
}

}  // namespace

std::size_t Matcher::HashNumbers::operator()(const std::vector<std::uint32_t>& numbers) const {
  std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a over whole numbers
  for (const std::uint32_t number : numbers) hash = (hash ^ number) * 0x100000001B3;
  return hash ^ (hash >> 32U);
}

Matcher::Matcher(RuleGraph graph, std::vector<RuleTraits> rules)
    : graph_(std::move(graph)), rules_(std::move(rules)) {
  SATCHEL_ASSERT(!rules_.empty() && rules_.front().data_class.has_value());
  std::vector<NodeId> nodes = {0};
  if (graph_.node(0).deeper != RuleGraph::kNone) nodes.push_back(graph_.node(0).deeper);
  root_ = remember(*memory_.lock(), make_state(std::move(nodes)));
}

MatchStatePtr Matcher::step(const MatchState& from, std::string_view name) const {
  {
    const auto memory = memory_.lock_shared();
    const std::optional<ClassId> name_class = find_class(*memory, name);
    const std::uint32_t next =
        name_class ? find_step(*memory, from, *name_class) : NumberTable::kNone;
    if (next != NumberTable::kNone) return memory->states[next];
  }
  std::vector<NamePatternId> found;
  const NamePatterns::Match match = graph_.names().match(name, found);
  MatchState made = make_state(advance(from, match.patterns));
  const auto memory = memory_.lock();
  MatchStatePtr next = remember(*memory, std::move(made));
  if (from.is_remembered && next->is_remembered && memory->steps.size() < kRememberedStepsMax) {
    const std::uint64_t key = step_key(from.number, class_of(*memory, match));
    // Another thread may have made the same step meanwhile.
    if (memory->steps.find(key) == NumberTable::kNone) memory->steps.add(key, next->number);
  }
  return next;
}

std::optional<Matcher::ClassId> Matcher::find_class(const Memory& memory,
                                                    std::string_view name) const {
  std::vector<NamePatternId> found;
  const NamePatterns::Match match = graph_.names().match(name, found);
  if (match.literal) return *match.literal + 1;
  if (match.patterns.empty()) return kOtherNames;
  const auto known = memory.classes.find(found);
  return known == memory.classes.end() ? std::nullopt : std::optional(known->second);
}

Matcher::ClassId Matcher::class_of(Memory& memory, const NamePatterns::Match& match) const {
  if (match.literal) return *match.literal + 1;
  if (match.patterns.empty()) return kOtherNames;
  const auto next = static_cast<ClassId>(1 + graph_.names().literals() + memory.classes.size());
  return memory.classes.try_emplace({match.patterns.begin(), match.patterns.end()}, next)
      .first->second;
}

std::uint32_t Matcher::find_step(const Memory& memory, const MatchState& from, ClassId id) {
  if (!from.is_remembered) return NumberTable::kNone;
  return memory.steps.find(step_key(from.number, id));
}

MatchStatePtr Matcher::remember(Memory& memory, MatchState state) const {
  std::vector<std::uint32_t> key = key_of(state);
  const auto known = memory.state_numbers.find(key);
  if (known != memory.state_numbers.end()) return memory.states[known->second];
  if (memory.nodes + key.size() > kRememberedNodesMax) {
    return std::make_shared<const MatchState>(std::move(state));
  }
  memory.nodes += key.size();
  state.number = static_cast<std::uint32_t>(memory.states.size());
  state.is_remembered = true;
  memory.state_numbers.emplace(std::move(key), state.number);
  memory.states.push_back(std::make_shared<const MatchState>(std::move(state)));
  return memory.states.back();
}

std::vector<NodeId> Matcher::advance(const MatchState& from,
                                     std::span<const NamePatternId> patterns) const {
  std::vector<NodeId> nodes;
  const auto reach = [&](NodeId id) {
    if (id == RuleGraph::kNone) return;
    nodes.push_back(id);
    const NodeId deeper = graph_.node(id).deeper;
    if (deeper != RuleGraph::kNone) nodes.push_back(deeper);
  };
  for (const NodeId id : from.nodes) {
    if (graph_.node(id).loops) reach(id);
    reach(graph_.node(id).any);
    for (const NamePatternId pattern : patterns) reach(graph_.next(id, pattern));
  }
  std::ranges::sort(nodes);
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

MatchState Matcher::make_state(std::vector<NodeId> nodes) const {
  MatchState state;
  for (const NodeId id : nodes) {
    const std::vector<std::uint32_t>& marks = graph_.node(id).marks;
    state.marks.insert(state.marks.end(), marks.begin(), marks.end());
  }
  for (const PathKind kind : {PathKind::kDirectory, PathKind::kOther}) {
    state.outcomes[static_cast<std::size_t>(kind)] = outcome_of(nodes, kind);
  }
  state.nodes = std::move(nodes);
  settle_below(state);
  return state;
}

Outcome Matcher::outcome_of(const std::vector<NodeId>& nodes, PathKind kind) const {
  std::optional<Outcome> last;
  std::optional<RuleNumber> last_with_class;
  for (const NodeId id : nodes) {
    for (const RuleGraph::Accept& accept : graph_.node(id).accepts) {
      if (accept.is_directory_only && kind != PathKind::kDirectory) continue;
      if (!last || accept.rule > last->rule) {
        last = {.rule = accept.rule, .group_root = accept.group_root};
      } else if (accept.rule == last->rule) {
        // Two alternatives of one rule.
        GroupRoot& root = last->group_root;
        root.names = std::min(root.names, accept.group_root.names);
        root.mark = std::min(root.mark, accept.group_root.mark);
      }
      if (rules_[accept.rule].data_class) {
        last_with_class = std::max(last_with_class, std::optional(accept.rule));
      }
    }
  }
  if (!last) last = Outcome{};
  last->data_class = *rules_[last_with_class.value_or(0)].data_class;
  return *last;
}

void Matcher::settle_below(MatchState& state) const {
  std::optional<RuleNumber> floor;  // the last rule that matches everything below
  std::optional<RuleNumber> travelling;
  std::optional<RuleNumber> staying;
  for (const NodeId id : state.nodes) {
    const RuleGraph::Node& node = graph_.node(id);
    travelling = std::max(travelling, node.last_travelling_below);
    staying = std::max(staying, node.last_staying_below);
    if (!node.loops || node.any == RuleGraph::kNone) continue;
    for (const RuleGraph::Accept& accept : graph_.node(node.any).accepts) {
      if (!accept.is_directory_only) floor = std::max(floor, std::optional(accept.rule));
    }
  }
  SATCHEL_ASSERT(floor.has_value());
  const bool floor_travels = rules_[*floor].travels;
  if ((floor_travels ? staying : travelling) < floor) {
    state.below = floor_travels ? Below::kAllTravel : Below::kNoneTravels;
  }
  // What can match below only earlier rules than the floor changes nothing there any more.
  if (!rules_[*floor].data_class) return;
  std::erase_if(state.nodes, [&](NodeId id) {
    const RuleGraph::Node& node = graph_.node(id);
    return std::max(node.last_travelling_below, node.last_staying_below) < floor;
  });
}

}  // namespace satchel::policies
