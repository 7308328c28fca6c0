// One name that both sides have and changed: its fields, one by one. docs/mediation.md.
#pragma once

#include "store/tree_store.h"
#include "syncer/mediator.h"

namespace satchel::syncer {

/// Both names hold the same: content, symlink target or device number. Directories, fifos and
/// sockets hold nothing of the kind.
bool hold_the_same(const store::Entry& first, const store::Entry& second);

struct MergedEntry {
  store::Entry entry;    ///< of directories without the contents: those are the client's
  bool clashes = false;  ///< a field was changed differently, and the live side's is taken
};

/// `base` is null, or of the kind that `client` and `server` both are; at most one side changed
/// what the name holds, or both the same. Errors: those of TreeStore.
Result<MergedEntry> merge_fields(store::TreeStore& trees, const store::Entry* base,
                                 const store::Entry& client, const store::Entry& server,
                                 LiveSide live);

}  // namespace satchel::syncer
