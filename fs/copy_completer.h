// Completes block copies in the background.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/log.h"
#include "fs/upper_rows.h"

namespace satchel::fs {

/// Works through the files it is asked for, one at a time, in a thread that starts with the first.
/// Thread-safe. To stop interrupts the work, which loses nothing.
class CopyCompleter {
 public:
  using Complete = std::function<Result<void>(UpperId, const std::stop_token&)>;
  /// `log` is borrowed. What fails is logged; the file stays as it is until it is asked for again.
  CopyCompleter(Complete complete, const Log& log) : complete_(std::move(complete)), log_(log) {}
  ~CopyCompleter() { stop(); }
  CopyCompleter(const CopyCompleter&) = delete;
  CopyCompleter& operator=(const CopyCompleter&) = delete;

  void ask(UpperId id);
  /// Nothing is worked on any more when it returns; asked for nothing afterwards.
  void stop();

 private:
  void run(const std::stop_token& stop);

  Complete complete_;
  const Log& log_;
  std::mutex mutex_;
  std::condition_variable_any asked_;
  std::deque<UpperId> queue_;
  std::jthread thread_;
};

}  // namespace satchel::fs
