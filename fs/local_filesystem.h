// Whether asking a filesystem can mean to wait for another machine.
#pragma once

#include "base/path.h"
#include "base/result.h"

namespace satchel::fs {

/// `path` is on a filesystem that stands on a disk or in the memory of this machine. Kinds that we
/// do not know count as ones that may hang: a network's, a process's. May hang itself, then.
/// Errors: those of statfs(2).
Result<bool> is_on_this_machine(const HostPath& path);

}  // namespace satchel::fs
