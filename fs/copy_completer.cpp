#include "fs/copy_completer.h"

#include <algorithm>

#include "fs/core_lending.h"

namespace satchel::fs {

void CopyCompleter::stop() {
  std::jthread thread;  // joined without the lock
  {
    const std::lock_guard lock(mutex_);
    thread = std::move(thread_);
  }
}

void CopyCompleter::ask(UpperId id) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(queue_, id) != queue_.end()) return;
  queue_.push_back(id);
  if (!thread_.joinable()) {
    keep_core();  // or the thread would lend it too
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  asked_.notify_one();
}

void CopyCompleter::run(const std::stop_token& stop) {
  for (;;) {
    UpperId id = 0;
    {
      std::unique_lock lock(mutex_);
      if (!asked_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
      id = queue_.front();
      queue_.pop_front();
    }
    const auto completed = [&] {
      const LongWork work;
      return complete_(id, stop);
    }();
    if (stop.stop_requested()) return;
    if (!completed) {
      log_.info("a block copy could not be completed id={} error=\"{}\"", id,
                to_text(completed.error()));
    }
  }
}

}  // namespace satchel::fs
