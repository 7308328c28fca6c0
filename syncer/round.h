// A round: snapshot, compare, mediate, transfer, commit, switch. DESIGN: "A round".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "store/live_upper.h"
#include "store/repository_tree_store.h"
#include "syncer/delete_brake.h"
#include "syncer/mediator.h"
#include "syncer/path_rules.h"

namespace satchel::syncer {

enum class RoundResult : std::uint8_t {
  kNone,    ///< nothing had changed on either side
  kPushed,  ///< this device's changes became a version
  kPulled,  ///< this device moved to a newer version
  kMerged,  ///< both
};
std::string_view to_text(RoundResult result);

/// What the round cost: `status`'s `last`.
struct RoundCounts {
  std::uint64_t files_opened = 0;
  std::uint64_t files_hashed = 0;
  std::uint64_t pages_encoded = 0;
  std::uint64_t chunks_new = 0;
  std::uint64_t bytes_sent = 0;      ///< size of the packs and the record written
  std::uint64_t bytes_received = 0;  ///< pack and record bytes read
  std::uint64_t round_trips = 0;     ///< each look for the head, record read, pack and commit
  double seconds = 0;
  friend bool operator==(const RoundCounts&, const RoundCounts&) = default;
};

struct RoundReport {
  RoundResult result = RoundResult::kNone;
  store::VersionNumber version = 0;  ///< the workspace's version afterwards
  std::vector<Conflict> conflicts;
  std::vector<RelativePath> busy;
  RoundCounts counts;
};

struct RoundOptions {
  std::string user;
  std::string machine_id;
  std::string device;
  std::string message;
  DeleteBrake delete_brake;
  bool ignore_delete_brake = false;
  unsigned lost_races_max = 16;
};

/// What a round works with; all borrowed.
struct RoundContext {
  store::Repository& repository;
  store::MetadataCache* cache;  ///< may be null
  store::LiveUpper& upper;
  const PathRules& rules;
  const Clock& clock;
  const Log& log;
};

/// Brings the workspace and its ref together; the version is durable in the repository on return,
/// and the mount has switched to it. Cut anywhere, the next round goes on from there: packs that
/// arrived are not sent again. Errors: kOffline (nothing lost), kDeleteBrake, kNoSpace, kReadOnly,
/// kLostRace (after lost_races_max), kCorrupted, kWrongRepository (its versions have gone back).
/// Fault points: round.sealed, round.snapshot, round.uploaded, round.committed, round.switched.
Result<RoundReport> run_round(const RoundContext& context, const RoundOptions& options);

}  // namespace satchel::syncer
