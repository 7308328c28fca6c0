#include "policies/matcher.h"

#include <algorithm>
#include <utility>

namespace satchel::policies {
namespace {

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

std::vector<std::uint32_t> Matcher::Letter::key() const {
  std::vector<std::uint32_t> key = globs;
  key.push_back(name);
  return key;
}

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
  const Letter letter = letter_of(from, name);
  {
    const auto memory = memory_.lock_shared();
    const MatchState* next = find_step(*memory, from, letter);
    if (next != nullptr) return memory->states[next->number];
  }
  MatchState made = make_state(advance(from, letter));
  const auto memory = memory_.lock();
  MatchStatePtr next = remember(*memory, std::move(made));
  remember_step(*memory, from, letter, *next);
  return next;
}

RuleNumber Matcher::deciding_rule(const MatchState& from, std::string_view name,
                                  PathKind kind) const {
  const Letter letter = letter_of(from, name);
  {
    const auto memory = memory_.lock_shared();
    const MatchState* next = find_step(*memory, from, letter);
    if (next != nullptr) return next->outcomes[static_cast<std::size_t>(kind)].rule;
  }
  return step(from, name)->outcomes[static_cast<std::size_t>(kind)].rule;
}

Matcher::Letter Matcher::letter_of(const MatchState& from, std::string_view name) const {
  Letter letter{.name = graph_.find_name(name)};
  for (const NodeId id : from.glob_nodes) graph_.find_globs(graph_.node(id), name, letter.globs);
  std::ranges::sort(letter.globs);
  return letter;
}

const MatchState* Matcher::find_step(const Memory& memory, const MatchState& from,
                                     const Letter& letter) const {
  if (!from.is_remembered) return nullptr;
  std::uint32_t next = NumberTable::kNone;
  if (letter.is_other()) {
    next = memory.otherwise[from.number];
  } else if (letter.globs.empty()) {
    next = memory.steps.find(step_key(from.number, letter.name));
  } else if (const auto known = memory.classes.find(letter.key()); known != memory.classes.end()) {
    next = memory.steps.find(step_key(from.number, known->second));
  }
  return next == NumberTable::kNone ? nullptr : memory.states[next].get();
}

void Matcher::remember_step(Memory& memory, const MatchState& from, const Letter& letter,
                            const MatchState& next) const {
  if (!from.is_remembered || !next.is_remembered) return;
  if (letter.is_other()) {
    memory.otherwise[from.number] = next.number;
    return;
  }
  if (memory.steps.size() >= kRememberedStepsMax) return;
  std::uint32_t name_class = letter.name;
  if (!letter.globs.empty()) {
    const auto next_class = static_cast<std::uint32_t>(graph_.names() + memory.classes.size());
    name_class = memory.classes.try_emplace(letter.key(), next_class).first->second;
  }
  const std::uint64_t key = step_key(from.number, name_class);
  // Another thread may have made the same step meanwhile.
  if (memory.steps.find(key) == NumberTable::kNone) memory.steps.add(key, next.number);
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
  memory.otherwise.push_back(NumberTable::kNone);
  memory.states.push_back(std::make_shared<const MatchState>(std::move(state)));
  return memory.states.back();
}

std::vector<NodeId> Matcher::advance(const MatchState& from, const Letter& letter) const {
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
    if (letter.name != NameTable::kNone) reach(graph_.next(id, letter.name));
  }
  for (const NodeId id : letter.globs) reach(id);
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
  for (const NodeId id : state.nodes) {
    if (graph_.node(id).globs != RuleGraph::kNone) state.glob_nodes.push_back(id);
  }
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
