// Restrict: take a change to a tree only where one may speak of it.
#pragma once

#include <functional>

#include "store/tree_store.h"
#include "syncer/path_rules.h"

namespace satchel::syncer {

/// A set of paths.
struct PathSet {
  std::function<bool(const RelativePath&, store::Kind)> contains;
  std::function<Coverage(const RelativePath&)> coverage_below;
};
/// The paths that travel by `rules`, which is borrowed.
PathSet travelling_paths(const PathRules& rules);

/// How deep a tree may be for a round.
inline constexpr std::size_t kDepthMax = 4096;

/// `after` at the paths of `spoken_for`, `before` at all others: a path outside of the set keeps
/// what it has in `before`, and the directories it stands in stay for its sake. Cost: what differs
/// between the two, and of a directory that only one of them has, all of it unless the set covers
/// it whole or not at all.
///
/// The link table of `after` need not be right; that of the result is, provided that `before`'s is.
/// Errors: those of TreeStore; EUCLEAN/kLimit for a tree deeper than kDepthMax.
Result<store::Root> restrict_change(store::TreeStore& trees, const store::Root& before,
                                    const store::Root& after, const PathSet& spoken_for);

}  // namespace satchel::syncer
