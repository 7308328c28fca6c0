#include "fs/interruption.h"

#include <signal.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

namespace satchel::fs {
namespace {

// Per thread: a request is served by one thread from start to end, and the waits are far below the
// handler.
thread_local InterruptionScope* innermost = nullptr;

}  // namespace

// Whatever signal ends a process, the kernel makes SIGKILL pending for each of its threads. One
// that was sent stays pending for the process until its last thread has ended, the first one long
// before.
bool is_dying(pid_t thread) {
  errno = 0;
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  if (!status) return errno == ENOENT || errno == ESRCH;
  constexpr std::uint64_t kKilled = std::uint64_t{1} << (SIGKILL - 1);
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("State:\tZ") || line.starts_with("State:\tX")) return true;
    if (!line.starts_with("SigPnd:") && !line.starts_with("ShdPnd:")) continue;
    const auto pending = std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 16);
    if ((pending & kKilled) != 0) return true;
  }
  return false;
}

InterruptionScope::InterruptionScope(Question question, void* context)
    : question_(question), context_(context), outer_(innermost) {
  innermost = this;
}

InterruptionScope::~InterruptionScope() {
  innermost = outer_;
}

bool InterruptionScope::is_interrupted() {
  return innermost != nullptr && innermost->question_(innermost->context_);
}

bool InterruptionScope::is_serving() {
  return innermost != nullptr;
}

}  // namespace satchel::fs
