// The conflicts tree of a version: what lost in mediation, by machine and time.
#pragma once

#include <string>

#include "base/clock.h"
#include "store/tree_store.h"

namespace satchel::syncer {

/// How long a loser stays. A version keeps them longer if none is committed meanwhile.
inline constexpr std::int64_t kLoserSecondsMin = 30LL * 24 * 60 * 60;

/// Which round's losers these are.
struct LosersOf {
  std::string machine_id;
  Timestamp time;
};

/// `previous` (none: no conflicts yet) with `losers` under `<machine id>-<RFC 3339 time>`, and
/// without what is older than kLoserSecondsMin by `round.time`. The losers' identity (file ids,
/// links) is left behind: they are copies. None if nothing remains. Cost: the losers.
Result<store::RootId> update_conflicts_tree(store::TreeStore& trees, const store::RootId& previous,
                                            const store::Root& losers, const LosersOf& round);

/// "2026-05-01T07:00:00Z".
std::string to_rfc3339(const Timestamp& time);

}  // namespace satchel::syncer
