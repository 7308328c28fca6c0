// What a mount's process says of a group: its members, and what in it moves.
#pragma once

#include "fs/control.h"
#include "store/live_groups.h"

namespace satchel::cli {

/// A change so long ago counts as none.
inline constexpr std::chrono::seconds kGroupSettles{2};
/// More members are counted and not named.
inline constexpr std::size_t kGroupMembersNamed = 10'000;

/// `group`, `members` (how many), `member` for each, `open` and `changed` for what is not quiet.
Result<fs::ControlFields> describe_group(store::LiveGroups& groups, const store::PathGroup& group);

}  // namespace satchel::cli
