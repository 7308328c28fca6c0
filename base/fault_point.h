// Named places where a test makes the process die or a call fail.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace satchel {

/// Where a step towards durability is about to happen: `SATCHEL_TRY(fault_point("pack.rename"));`.
/// Costs one relaxed load unless set_fault_point() was called. Thread-safe. Errors: EIO (kIo), only
/// if that was asked for.
Result<void> fault_point(std::string_view name);

/// "NAME:COUNT[:kill|eio]": the COUNT-th arrival at NAME kills the process with SIGKILL (or returns
/// EIO). NAME "*" means every point; COUNT 0 never fires and only counts. An empty text takes the
/// setting back. To be called from one thread, before there are others. Errors: EINVAL (kUsage).
Result<void> set_fault_point(std::string_view text);

/// How often the point that was set has been reached since.
std::uint64_t fault_point_hits();

}  // namespace satchel
