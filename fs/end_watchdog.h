// The end of a process that cannot wait for its threads for ever.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace satchel::fs {

/// If it lives longer than `deadline`, the process ends at once, with `exit_code`.
///
/// For the time in which a mount is taken down: what must last is in the store by then, but a
/// thread that waits for a repository which hangs cannot be joined.
class EndWatchdog {
 public:
  EndWatchdog(std::chrono::milliseconds deadline, int exit_code, Log log);
  ~EndWatchdog();
  EndWatchdog(const EndWatchdog&) = delete;
  EndWatchdog& operator=(const EndWatchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace satchel::fs
