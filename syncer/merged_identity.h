// Identity after mediation: the merged tree's link table, and file ids that name one file each.
// docs/mediation.md.
#pragma once

#include <set>
#include <string>

#include "store/linked_names.h"

namespace satchel::syncer {

/// What a mediation noticed of identity while it merged names.
struct MergedNames {
  /// Directories that have another file id than on a side: what is in them by default has too.
  std::set<std::string> rebased;
  /// Linked files of which a name was decided by itself.
  std::set<store::FileId> decided_links;
};

/// The three trees that were mediated.
struct MediatedTrees {
  const store::Root& base;
  const store::Root& client;
  const store::Root& server;
};

/// `merged`, whose names are all there, with its link table, and with its file ids told apart where
/// two names that are no links have the same. Errors: those of TreeStore.
Result<store::Root> put_identity_right(store::TreeStore& trees, const MediatedTrees& sides,
                                       store::Root merged, const MergedNames& noticed);

}  // namespace satchel::syncer
