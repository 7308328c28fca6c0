// Named places where a test makes the process die or a call fail.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace satchel {

/// What the code at a fault point does next.
enum class Step { kDo, kLeaveOut };

/// Where a step towards durability is about to happen: `SATCHEL_TRY(fault_point("pack.rename"));`.
/// Costs one relaxed load unless set_fault_point() was called. kLeaveOut only if that was asked
/// for, and only syncs look at it. Thread-safe. Errors: EIO (kIo), only if that was asked for.
Result<Step> fault_point(std::string_view name);

/// fault_point() and then fsync_fd(), unless it is to be left out: a power-cut test shows in this
/// way that it would notice.
Result<void> fsync_at_fault_point(std::string_view name, int fd);

/// "NAME:COUNT[:kill|eio|skip]": the COUNT-th arrival at NAME kills the process with SIGKILL, or
/// returns EIO, or leaves the step out where the code at NAME can. NAME "*" means every point.
/// COUNT 0 only counts arrivals; with skip it means every arrival. An empty text takes the setting
/// back. To be called from one thread, before there are others. Errors: EINVAL (kUsage).
Result<void> set_fault_point(std::string_view text);

/// How often the point that was set has been reached since.
std::uint64_t fault_point_hits();

}  // namespace satchel
