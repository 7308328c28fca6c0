// diff: the layer that turns one tree into another. docs/format.md, section 4.
#pragma once

#include <functional>

#include "store/tree_store.h"

namespace satchel::store {

/// Canonical; compose(below, diff(below, tree)) == tree. Both must be trees. Cost: the pages that
/// differ.
Result<Root> diff(TreeStore& trees, const Root& below, const Root& tree);

enum class ChangeKind : std::uint8_t { kAdded, kRemoved, kModified, kTypeChanged, kAttributes };
/// One path that differs between two trees. Of an added or removed directory everything in it is
/// reported too.
struct Change {
  RelativePath path;
  ChangeKind kind = ChangeKind::kModified;
  const Entry* first = nullptr;   ///< null if added
  const Entry* second = nullptr;  ///< null if removed
};
/// Reports differences in path order, parents first. `first` and `second` may be trees or layers.
Result<void> walk_changes(TreeStore& trees, const Root& first, const Root& second,
                          const std::function<Result<void>(const Change&)>& visit);

/// Every path of a tree or layer, parents first, in name order. The root itself is not reported.
Result<void> walk_tree(TreeStore& trees, const Root& root,
                       const std::function<Result<void>(const RelativePath&, const Entry&)>& visit);

}  // namespace satchel::store
