// What stands at a path now, as `explain` is asked about it.
#pragma once

#include "fs/control.h"
#include "fs/view.h"

namespace satchel::cli {

/// kind, mode, uid, gid, size and mtime.
fs::ControlFields live_fields(const fs::NodeStat& stat);

}  // namespace satchel::cli
