#include "fs/end_watchdog.h"

#include <unistd.h>

#include <utility>

namespace satchel::fs {

EndWatchdog::EndWatchdog(std::chrono::milliseconds deadline, int exit_code, Log log)
    : thread_([this, deadline, exit_code, log = std::move(log)] {
        std::unique_lock lock(mutex_);
        if (over_.wait_for(lock, deadline, [this] { return is_over_; })) return;
        log.warn("end_stuck, the process ends without its threads");
        log.flush();
        ::_exit(exit_code);
      }) {}

EndWatchdog::~EndWatchdog() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  over_.notify_all();
  thread_.join();
}

}  // namespace satchel::fs
