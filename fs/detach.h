// Taking a mount out of the tree of files.
#pragma once

#include <cstdint>

#include "base/path.h"
#include "base/result.h"

namespace satchel::fs {

enum class DetachMode : std::uint8_t {
  kClean,  ///< only if no program uses it
  kLazy,   ///< programs that use it lose it, or keep what they have open
};

/// Unmounts what is mounted at `mount_point`: as root by the kernel, else one's own mount by
/// fusermount3. Errors, without words: EBUSY (clean, and in use), EINVAL (nothing is mounted
/// there), EPERM (not root, and not one's own mount or no fusermount3).
Result<void> detach_mount(const HostPath& mount_point, DetachMode mode);

}  // namespace satchel::fs
