// Snapshot: a sealed upper becomes a tree, its new bytes chunks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "redirector/router.h"
#include "store/live_upper.h"
#include "store/tree_store.h"
#include "store/upload.h"

namespace satchel::syncer {

struct SnapshotCounts {
  std::uint64_t files_opened = 0;
  std::uint64_t files_hashed = 0;
  std::uint64_t bytes_hashed = 0;
};

struct Snapshot {
  store::Root tree;        ///< base with the sealed changes, for the paths that the rules let travel
  store::Root third_leg;   ///< the base version with each change's origin in place
  bool has_origins = false;  ///< third_leg differs from the base version
  std::map<store::UpperId, store::ContentId> contents;
  std::vector<RelativePath> busy;  ///< never quiet: their old content was carried over
  SnapshotCounts counts;
};

/// Hashes what is dirty (3 tries for a file that moves), builds the pages that change, and nothing else. New chunks and pages go to `upload`.
/// A path that `router` does not let travel keeps the base version's entry. Errors: those of LiveUpper, Upload, TreeStore.
Result<Snapshot> take_snapshot(store::LiveUpper& upper, const store::SealedUpper& sealed, const redirector::Router& router,
                               store::TreeStore& trees, store::Upload& upload);

}  // namespace satchel::syncer
