// A process that goes on in the background once it is usable.
#pragma once

#include <sys/types.h>

#include <functional>

#include "base/result.h"

namespace satchel::fs {

/// Tells the parent how the start went; later calls tell nobody.
using StartReport = std::function<void(const Result<void>&)>;

/// Runs `body` in a child process of its own session and returns the child's pid as soon as `body`
/// reports success; from then on the child has no terminal and its working directory is /, so paths
/// that it uses must be absolute. An Error that `body` reports, or returns before it has reported
/// anything, is the parent's result; if the child dies, kInternal. The child never returns from
/// here: it exits with 0, or with the Error's exit code.
///
/// To be called while the process has one thread. In the child SIGTERM, SIGINT and SIGHUP are
/// blocked: see block_stop_signals().
Result<pid_t> start_daemon(const std::function<Result<void>(const StartReport& report)>& body);

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and those it will start, so that Mount::serve()
/// can wait for them.
void block_stop_signals();

}  // namespace satchel::fs
