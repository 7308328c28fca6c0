// The configuration: what the environment says of this device. Read here and nowhere else.
#pragma once

#include <string>
#include <vector>

#include "base/path.h"
#include "base/result.h"

namespace satchel::cli {

/// A value.
struct Settings {
  std::string device;        ///< SATCHEL_DEVICE, else the host's name: who made a version
  HostPath index_directory;  ///< where a repository is indexed that is opened without a store
  HostPath store_directory;  ///< this device's store, if the command line names none
  HostPath temporary_directory{"/tmp"};
  HostPath runtime_directory{"/run/satchel"};   ///< where mounts are found
  HostPath site_rules{"/etc/satchel/rules.d"};  ///< SATCHEL_RULES: the administrator's rule files
  std::vector<std::string> desktops;  ///< XDG_CURRENT_DESKTOP: the session's, in small letters

  static Settings from_environment();
};

/// SATCHEL_MACHINE_ID, else what /etc/machine-id holds: whose machine layer is shown.
/// Errors: EINVAL/kUsage (not of the form [A-Za-z0-9._-]{1,64}), ENOENT (there is none).
Result<std::string> machine_id();

}  // namespace satchel::cli
