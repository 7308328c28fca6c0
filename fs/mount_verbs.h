// What a mount's control socket is asked, and how the mount answers. docs/protocol.md, "Control".
#pragma once

#include <functional>
#include <map>
#include <string>

#include "fs/content_fetch.h"
#include "fs/control.h"
#include "fs/mount.h"
#include "fs/view.h"

namespace satchel::fs {

/// What the verbs work on; all borrowed.
struct ControlledMount {
  Mount& mount;
  View& view;
  ContentFetch& contents;
  /// Runs a round; called by one thread at a time. Without it (an image mount) `sync` is refused.
  std::function<Result<ControlFields>(const ControlRequest&)> sync;
  /// What `status` says besides, of things that fs does not know.
  std::function<Result<ControlFields>()> more_status;
};

/// Handlers of `status`, `sync`, `flush`, `ping`, `stop` and `abort`. None touches the mount
/// through the kernel.
std::map<std::string, ControlServer::Handler> mount_verbs(const ControlledMount& mount);

}  // namespace satchel::fs
