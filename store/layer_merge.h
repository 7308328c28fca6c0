// One layer merged onto another, and what that did to linked names. Behind stack, flatten and
// compose.
#pragma once

#include <set>

#include "store/tree_store.h"

namespace satchel::store {

/// What the result is to be: a layer, or a tree, for which the lower one must be a tree.
enum class Marks : std::uint8_t { kKeep, kDrop };

/// `root` has a right link table, but in a tree its links are not yet put right.
struct MergedLayer {
  Root root;
  std::set<FileId> touched_links;  ///< linked files of which a name came, went or changed
};

/// Reads the pages in which both have entries, and marked ones where marks are dropped; takes the
/// others over. Errors: EUCLEAN (marks in an opaque directory or a tree), kLimit, those of
/// TreeStore.
Result<MergedLayer> merge_layers(TreeStore& trees, const Root& lower, const Root& upper,
                                 Marks marks);

/// `layer` as a tree; links not put right.
Result<Root> drop_marks(TreeStore& trees, const Root& layer);

}  // namespace satchel::store
