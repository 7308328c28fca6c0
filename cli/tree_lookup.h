// Trees of versions, and paths in them as a person in a chroot would follow them.
#pragma once

#include "store/directory.h"
#include "store/repository.h"
#include "store/tree_store.h"
#include "syncer/publish.h"

namespace satchel::cli {

/// The tree that a version shows (a layer's: with its marks). Of a workspace: without the machines'
/// layers. Errors: ENOENT/kNotFound.
Result<store::Root> tree_of(store::Repository& repository, store::TreeStore& trees,
                            const syncer::RefVersion& version);

/// What to do with a symbolic link at the end of a path; those on the way are always followed.
enum class LastLink { kFollow, kKeep };

struct FoundEntry {
  RelativePath path;  ///< where the links led to
  store::Entry entry;
};
/// Errors: ENOENT, ENOTDIR, ELOOP, naming the path from the tree's root.
Result<FoundEntry> find_in_tree(store::TreeStore& trees, const store::Root& root,
                                const RelativePath& path, LastLink last);

}  // namespace satchel::cli
