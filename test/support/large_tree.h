// Trees for tests of cost and of depth.
#pragma once

#include "store/tree_store.h"

namespace satchel::test {

/// `directories` directories "d0000"… of `files` files "f0000"… each.
store::Root make_wide_tree(store::TreeStore& trees, unsigned directories, unsigned files);

/// A chain of `depth` directories "d", each in the one before; `innermost` (a file or whiteout) is
/// in the last.
store::Root make_deep_tree(store::TreeStore& trees, unsigned depth,
                           const store::Entry& innermost = {});

/// A file called `name`, with a content that `seed` makes different.
store::Entry make_file(std::string_view name, std::uint8_t seed = 0);

/// `root` with `entry` in the directory at `directory` (empty: the root).
store::Root with_entry(store::TreeStore& trees, const store::Root& root,
                       const std::string& directory, const store::Entry& entry);

}  // namespace satchel::test
