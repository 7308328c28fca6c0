#include "policies/rule_graph.h"

#include <algorithm>

#include "base/result.h"

namespace satchel::policies {
namespace {

std::uint64_t edge_key(NodeId node, std::uint32_t name) {
  return (std::uint64_t{node} << 32U) | name;
}

bool is_any_depth(const Component& component) {
  return std::holds_alternative<AnyDepth>(component);
}

}  // namespace

void RuleGraph::add(const Pattern& pattern, RuleNumber rule, bool travels) {
  SATCHEL_ASSERT(pattern.base == Base::kRoot);
  if (travels_.size() <= rule) travels_.resize(rule + 1);
  travels_[rule] = travels;
  Accept accept{.rule = rule, .is_directory_only = pattern.is_directory_only};
  NodeId node = 0;
  for (std::size_t i = 0; i < pattern.components.size(); ++i) {
    if (pattern.group_root == i) accept.group_root = group_root_at(node, pattern, rule);
    node = child(node, pattern.components[i]);
  }
  nodes_[node].accepts.push_back(accept);
}

GroupRoot RuleGraph::group_root_at(NodeId node, const Pattern& pattern, RuleNumber rule) {
  const auto inside = pattern.components.begin() + static_cast<std::ptrdiff_t>(*pattern.group_root);
  if (std::find_if(pattern.components.begin(), inside, is_any_depth) == inside) {
    return {.names = static_cast<std::uint32_t>(*pattern.group_root)};
  }
  // The alternatives of a rule share a mark: each holds all below, so the outermost root is right.
  std::vector<std::uint32_t>& marks = nodes_[node].marks;
  if (marks.empty() || marks.back() != rule) marks.push_back(rule);
  return {.mark = rule};
}

NodeId RuleGraph::child(NodeId parent, const Component& component) {
  const auto* glob = std::get_if<Glob>(&component);
  if (is_any_depth(component) || (glob != nullptr && glob->is_any())) {
    const auto slot = is_any_depth(component) ? &Node::deeper : &Node::any;
    if (nodes_[parent].*slot == kNone) {
      const NodeId added = add_node(parent);  // moves the nodes
      nodes_[added].loops = is_any_depth(component);
      nodes_[parent].*slot = added;
    }
    return nodes_[parent].*slot;
  }
  return glob != nullptr ? glob_child(parent, *glob)
                         : name_child(parent, std::get<std::string>(component));
}

NodeId RuleGraph::name_child(NodeId parent, std::string_view name) {
  const std::uint32_t number = names_.add(name);
  NodeId node = next(parent, number);
  if (node == kNone) {
    node = add_node(parent);
    edges_.add(edge_key(parent, number), node);
  }
  return node;
}

NodeId RuleGraph::glob_child(NodeId parent, const Glob& glob) {
  const auto [known, is_new] =
      glob_children_.try_emplace(std::to_string(parent) + "/" + glob.text(), kNone);
  if (!is_new) return known->second;
  known->second = add_node(parent);
  std::uint32_t& index = nodes_[parent].globs;
  if (index == kNone) {
    index = static_cast<std::uint32_t>(globs_.size());
    globs_.emplace_back();
  }
  globs_[index].add(glob, known->second);
  return known->second;
}

NodeId RuleGraph::add_node(NodeId parent) {
  nodes_.emplace_back();
  parents_.push_back(parent);
  return static_cast<NodeId>(nodes_.size() - 1);
}

void RuleGraph::freeze() {
  glob_children_.clear();
  // A child's number is above its parent's, so each node is complete before its parent takes it.
  for (NodeId id = static_cast<NodeId>(nodes_.size()) - 1; id > 0; --id) {
    Node& parent = nodes_[parents_[id]];
    const Node& node = nodes_[id];
    parent.last_travelling_below =
        std::max(parent.last_travelling_below, node.last_travelling_below);
    parent.last_staying_below = std::max(parent.last_staying_below, node.last_staying_below);
    for (const Accept& accept : node.accepts) {
      auto& last = travels_[accept.rule] ? parent.last_travelling_below : parent.last_staying_below;
      last = std::max(last, std::optional(accept.rule));
    }
  }
}

NodeId RuleGraph::next(NodeId node, std::uint32_t name) const {
  static_assert(kNone == NumberTable::kNone);
  return edges_.find(edge_key(node, name));
}

void RuleGraph::find_globs(const Node& node, std::string_view name,
                           std::vector<NodeId>& found) const {
  if (node.globs != kNone) globs_[node.globs].find(name, found);
}

}  // namespace satchel::policies
