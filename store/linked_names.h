// Keeping a link table right while names come, go and move: what stack, diff, split and mediate
// share.
#pragma once

#include <set>
#include <string>

#include "store/links.h"

namespace satchel::store {

/// Directories given by their paths, with all that is in them.
class Subtrees {
 public:
  void add(const std::string& path) { paths_.insert(path); }
  [[nodiscard]] bool is_empty() const { return paths_.empty(); }
  /// `path` is one of the directories or inside one.
  [[nodiscard]] bool contains(const std::string& path) const;

 private:
  std::set<std::string> paths_;
};

/// Adds to `items` the links of `table` whose paths are in `subtrees`; reads nothing if there are
/// none.
Result<void> collect_links(TreeStore& trees, const PageId& table, const Subtrees& subtrees,
                           std::set<LinkItem>& items);

/// Adds to `items` those of `paths` that are linked names in `root`, with the file ids that they
/// have there. The link table of `root` is not used.
Result<void> locate_links(TreeStore& trees, const Root& root, const std::set<std::string>& paths,
                          std::set<LinkItem>& items);

}  // namespace satchel::store
