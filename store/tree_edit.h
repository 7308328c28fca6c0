// Changing single entries of a tree, wherever they are.
#pragma once

#include <map>
#include <string>

#include "store/tree_store.h"

namespace satchel::store {

/// Orders paths as a walk meets them: name by name, a directory before what is in it.
struct WalkOrder {
  bool operator()(const std::string& first, const std::string& second) const;
};

/// New entries by path. The directories that hold them must exist, and not be replaced here too.
using EntryEdits = std::map<std::string, Entry, WalkOrder>;

/// `root` with `edits`, at the cost of the directories that hold them. The link table stays.
Result<Root> edit_tree(TreeStore& trees, const Root& root, const EntryEdits& edits);

}  // namespace satchel::store
