// The three-way decision: a pure function over trees. docs/mediation.md.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "store/tree_store.h"

namespace satchel::syncer {

/// The side whose bytes stay at their path when both changed them: the one already committed.
enum class LiveSide : std::uint8_t { kServer, kClient };

enum class ConflictKind : std::uint8_t { kContent, kAttributes, kDeleted, kKind };
std::string_view to_text(ConflictKind kind);

struct Conflict {
  RelativePath path;
  ConflictKind kind = ConflictKind::kContent;
  /// kDeleted: the side that deleted. Else the side that lost.
  LiveSide loser = LiveSide::kClient;
  friend bool operator==(const Conflict&, const Conflict&) = default;
};
std::ostream& operator<<(std::ostream& out, const Conflict& conflict);

struct Mediation {
  store::Root merged;
  std::vector<Conflict> conflicts;  ///< in path order
  store::Root
      losers;  ///< tree of the entries that lost, each at its own path; empty_tree() if none
};

/// Deterministic; what either side wrote is in `merged` or in `losers`. Skips what is equal by page
/// id. Errors: those of TreeStore.
Result<Mediation> mediate(store::TreeStore& trees, const store::Root& base,
                          const store::Root& client, const store::Root& server, LiveSide live);

}  // namespace satchel::syncer
