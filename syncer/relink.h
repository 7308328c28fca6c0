// Relink: the link table of a tree that was made from another one.
#pragma once

#include "store/tree_store.h"

namespace satchel::syncer {

/// `tree` with the link table that its entries ask for, and with its links put right. `known` is a
/// tree whose table is right; only where the two differ is anything read.
Result<store::Root> relink(store::TreeStore& trees, const store::Root& known,
                           const store::Root& tree);

}  // namespace satchel::syncer
