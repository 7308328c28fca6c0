// stack, flatten, compose: layers onto layers, layers onto trees. docs/format.md, section 4.
#pragma once

#include <set>
#include <span>

#include "store/tree_store.h"

namespace satchel::store {

/// One layer with the effect of both, `upper` winning. Associative; empty_layer() is its identity.
/// Reads the pages in which both have entries, and nothing else.
Result<Root> stack(TreeStore& trees, const Root& lower, const Root& upper);

/// The tree that `layer` is when nothing lies below it: marks dropped, links put right.
Result<Root> flatten(TreeStore& trees, const Root& layer);

/// flatten(stack(layers…)), lowest first.
Result<Root> compose(TreeStore& trees, std::span<const Root> layers);

/// compose({tree, layers…}) where `tree` is known to be a tree, links put right and all: at the
/// cost of what the layers change.
Result<Root> compose_onto(TreeStore& trees, const Root& tree, std::span<const Root> layers);

/// "Links put right" for the given file ids only; `root` must be without marks and have its table.
Result<Root> put_links_right(TreeStore& trees, const Root& root, const std::set<FileId>& file_ids);

}  // namespace satchel::store
