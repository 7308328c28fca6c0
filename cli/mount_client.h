// Talking to the process of a mount.
#pragma once

#include <chrono>

#include "cli/settings.h"
#include "fs/control.h"

namespace satchel::cli {

/// How long a mount's process may say nothing before it counts as stuck.
inline constexpr std::chrono::seconds kControlSilence{30};

/// Asks the process of the Satchel mount at `mount_point`; the mount itself is not touched.
/// Errors: ENOENT, ENOTCONN/kNotAMount, ETIMEDOUT/kTimeout, and the process's own answer.
Result<fs::ControlFields> ask_mount(const Settings& settings, const HostPath& mount_point,
                                    const fs::ControlRequest& request);
/// The same for the mount with this device number.
Result<fs::ControlFields> ask_device(const Settings& settings, const std::string& device,
                                     const fs::ControlRequest& request);

}  // namespace satchel::cli
