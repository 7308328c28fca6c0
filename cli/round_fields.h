// A round's report on its way over the control socket, and as JSON.
#pragma once

#include "cli/command.h"
#include "fs/control.h"
#include "syncer/round.h"

namespace satchel::cli {

/// What the mount's process says of a round.
fs::ControlFields to_fields(const syncer::RoundReport& report);
/// Only what it cost: `last_files_opened` and so on.
fs::ControlFields to_fields(const syncer::RoundCounts& counts);

/// `last` of `status` and `sync`; null if there was no round since the mount.
Json last_round(const fs::ControlFields& fields);
/// The number that `key` holds; 0 if there is none.
std::uint64_t find_number(const fs::ControlFields& fields, std::string_view key);

}  // namespace satchel::cli
