// All patterns of a rule set as one graph, whose steps are names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policies/glob_index.h"
#include "policies/name_table.h"
#include "policies/number_table.h"
#include "policies/pattern.h"

namespace satchel::policies {

using NodeId = std::uint32_t;
using RuleNumber = std::uint32_t;  ///< its place in the order of reading; a later rule wins

/// Where the group of a matched path begins: the outermost of the two.
struct GroupRoot {
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  std::uint32_t names = kNone;  ///< so many names lead there
  std::uint32_t mark = kNone;   ///< the first directory on the path whose node carries this mark
  friend auto operator<=>(const GroupRoot&, const GroupRoot&) = default;
};

/// Patterns share what they have in common at their beginning. A path is followed through all
/// patterns at once, as a set of nodes. Built once, then only read.
class RuleGraph {
 public:
  static constexpr NodeId kNone = 0xFFFFFFFF;

  struct Accept {
    RuleNumber rule = 0;
    bool is_directory_only = false;
    GroupRoot group_root{};
  };
  struct Node {
    bool loops = false;           ///< any name leads here again: the place of a `**`
    NodeId any = kNone;           ///< where any name leads
    NodeId deeper = kNone;        ///< the `**` that begins here, reached without a name
    std::uint32_t globs = kNone;  ///< its place among the indexes of globs
    std::vector<Accept> accepts{};
    /// Groups begin here: those of the rules whose GroupRoot has the mark.
    std::vector<std::uint32_t> marks{};
    /// The last rule that paths below can match, among those that travel and those that stay.
    std::optional<RuleNumber> last_travelling_below{};
    std::optional<RuleNumber> last_staying_below{};
  };

  /// `pattern` begins at the root. Rules are added in their order.
  void add(const Pattern& pattern, RuleNumber rule, bool travels);
  /// Ends the building.
  void freeze();

  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[id]; }
  /// The number of a name that some rule spells out, else kNone.
  [[nodiscard]] std::uint32_t find_name(std::string_view name) const { return names_.find(name); }
  [[nodiscard]] std::size_t names() const { return names_.size(); }
  /// Where a spelt-out name leads from `node`; kNone: nowhere.
  [[nodiscard]] NodeId next(NodeId node, std::uint32_t name) const;
  /// Adds to `found` where the globs that stand at `node` lead `name`.
  void find_globs(const Node& node, std::string_view name, std::vector<NodeId>& found) const;

 private:
  NodeId add_node(NodeId parent);
  NodeId child(NodeId parent, const Component& component);
  NodeId name_child(NodeId parent, std::string_view name);
  NodeId glob_child(NodeId parent, const Glob& glob);
  GroupRoot group_root_at(NodeId node, const Pattern& pattern, RuleNumber rule);

  std::vector<Node> nodes_ = std::vector<Node>(1);  ///< the first is the root; children come later
  NameTable names_;
  NumberTable edges_;  ///< node and name → node
  std::vector<GlobIndex> globs_;
  std::unordered_map<std::string, NodeId> glob_children_;  ///< node and glob, while building
  std::vector<NodeId> parents_ = {kNone};
  std::vector<bool> travels_;  ///< by rule
};

}  // namespace satchel::policies
