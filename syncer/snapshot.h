// Snapshot: a sealed upper becomes a tree, its new bytes chunks.
#pragma once

#include <map>
#include <vector>

#include "store/live_upper.h"
#include "store/tree_store.h"
#include "store/upload.h"
#include "syncer/path_rules.h"
#include "syncer/quiet_content.h"

namespace satchel::syncer {

struct Snapshot {
  store::Root tree;       ///< base with the sealed changes, for the paths that the rules let travel
  store::Root third_leg;  ///< the base version with each change's origin in place
  bool has_origins = false;                             ///< third_leg differs from the base version
  std::map<store::UpperId, store::ContentId> contents;  ///< what was hashed and stood still
  std::vector<RelativePath> busy;  ///< never quiet: their old content was carried over
  SnapshotCounts counts;
};

/// What a snapshot is made with; all borrowed.
struct SnapshotContext {
  store::LiveUpper& upper;
  const PathRules& rules;
  store::TreeStore& trees;
  store::Upload& upload;
};

/// Hashes what is dirty (3 tries for a file that moves), builds the pages that change, and nothing
/// else. New chunks and pages go to the upload.
///
/// A path that the rules do not let travel keeps the base version's entry. So does the time of a
/// directory that holds only such paths: a write to /tmp is no change. A busy file that the base
/// does not have is left out. Errors: those of LiveUpper, Upload, TreeStore; EUCLEAN if `sealed`
/// names a base directory that is not there.
Result<Snapshot> take_snapshot(const SnapshotContext& context, const store::SealedUpper& sealed);

}  // namespace satchel::syncer
