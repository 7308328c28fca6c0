#include "policies/rule_graph.h"

#include <algorithm>

#include "base/result.h"

namespace satchel::policies {
namespace {

std::uint64_t edge_key(NodeId node, NamePatternId pattern) {
  return (std::uint64_t{node} << 32U) | pattern;
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
  const NamePatternId pattern =
      glob != nullptr ? names_.add_glob(*glob) : names_.add_name(std::get<std::string>(component));
  NodeId node = next(parent, pattern);
  if (node == kNone) {
    node = add_node(parent);
    edges_.add(edge_key(parent, pattern), node);
  }
  return node;
}

NodeId RuleGraph::add_node(NodeId parent) {
  nodes_.emplace_back();
  parents_.push_back(parent);
  return static_cast<NodeId>(nodes_.size() - 1);
}

void RuleGraph::freeze() {
  names_.freeze();
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

NodeId RuleGraph::next(NodeId node, NamePatternId pattern) const {
  static_assert(kNone == NumberTable::kNone);
  return edges_.find(edge_key(node, pattern));
}

}  // namespace satchel::policies
