// The ioctls behind lsattr(1), chattr(1) and project quotas: a view has none of those flags.
#pragma once

#include <cstddef>
#include <string>

#include "base/digest.h"
#include "base/result.h"

namespace satchel::fs {

/// What ioctl(2) `command` gives for any file or directory: at most `out_bytes`. `in` is what the
/// caller passed.
///
/// All flags of FS_IOC_GETFLAGS and all fields of FS_IOC_FSGETXATTR are zero. To set them to zero
/// succeeds; any other flag would be a promise that no tree can carry (docs/decisions/0012).
/// Errors: EOPNOTSUPP (a flag), ENOTTY (any other command), EINVAL (too few bytes).
Result<std::string> answer_flags_ioctl(unsigned command, Bytes in, std::size_t out_bytes);

}  // namespace satchel::fs
