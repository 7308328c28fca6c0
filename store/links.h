// The link table of a tree or layer: file id → the paths that are one inode.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "store/tree_store.h"

namespace satchel::store {

/// All paths of one linked file, ascending; empty if the table does not know it. `links` may be
/// none.
Result<std::vector<std::string>> find_links(TreeStore& trees, const PageId& links,
                                            const FileId& file_id);
Result<std::vector<LinkItem>> list_links(TreeStore& trees, const PageId& links);
/// A table of `items` (any order, no duplicates); none for no items.
Result<PageId> build_links(TreeStore& trees, std::vector<LinkItem> items);
/// `links` with items removed and added. Untouched pages are taken over.
Result<PageId> edit_links(TreeStore& trees, const PageId& links, const std::set<LinkItem>& removed,
                          const std::set<LinkItem>& added);

}  // namespace satchel::store
