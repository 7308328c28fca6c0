// Trees and layers as lines of text, so that a test's table shows them as they are.
#pragma once

#include <string>
#include <vector>

#include "store/tree_store.h"

namespace satchel::test {

/// One path each, in any order: a path, its kind, and what else it has.
///
///   "etc/"                       directory; a path's own directories need not be listed
///   "etc/ opaque", "etc/ inherit", "gone whiteout"
///   "a =text"                    file with a content; "a" alone is the empty file
///   "l ->target"                 symlink
///   … "mode=700 uid=1 gid=1 mtime=5 id=x linked user.name=value"
///
/// `id=` gives a file id of one repeated character. A name holds no space. "/" is the root itself.
using Lines = std::vector<std::string>;

/// Directories that no line names are plain, as is the root.
store::Root make_tree(store::TreeStore& trees, const Lines& lines);
/// Directories that no line names inherit, as does the root.
store::Root make_layer(store::TreeStore& trees, const Lines& lines);

/// The lines of a tree or layer, each directory with its own, in the order of a walk. Checks that
/// its link table is right.
Lines lines_of(store::TreeStore& trees, const store::Root& root);

}  // namespace satchel::test
