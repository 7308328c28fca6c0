// Identity after mediation: the merged tree's link table, and file ids that name one file each.
// docs/mediation.md.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "store/linked_names.h"
#include "syncer/identity_changes.h"

namespace satchel::syncer {

/// What a mediation noticed of identity while it merged names.
struct MergedNames {
  /// Directories that have another file id than on a side: what is in them by default has too.
  std::set<std::string> rebased;
  /// Directories that were taken from one side with all in them, against what the other side did.
  std::set<std::string> taken_whole;
  /// Names that are neither side's alone, or one's against what the other side did.
  std::vector<IdentityAt> decided;
  /// Linked files of which a name did not come with its page.
  std::set<store::FileId> linked;
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
