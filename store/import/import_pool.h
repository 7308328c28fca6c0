// The threads that hash and compress while one other walks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "store/import/import_meter.h"

namespace satchel::store {

/// Runs jobs in any order, at most kWaitingMax of them waiting. The first error, of a job or of the
/// meter, ends it all: later jobs are dropped and every call returns that error. submit() and
/// finish() are called by the thread that the import was called from.
class ImportPool {
 public:
  using Job = std::function<Result<void>()>;
  static constexpr std::size_t kWaitingMax = 128;

  /// `threads` 0: one per core. `meter` is borrowed.
  ImportPool(unsigned threads, ImportMeter& meter);
  /// Drops the jobs that wait and waits for those that run.
  ~ImportPool();
  ImportPool(const ImportPool&) = delete;
  ImportPool& operator=(const ImportPool&) = delete;

  /// Waits while too many wait.
  Result<void> submit(Job job);
  /// Waits for all jobs.
  Result<void> finish();
  /// For long jobs: has to stop. Any thread.
  [[nodiscard]] Result<void> check() const;

 private:
  struct State {
    std::deque<Job> waiting;
    std::size_t running = 0;
    bool is_closed = false;
    std::optional<Error> error;
  };
  void work();
  /// Waits until `done`, ticking the meter.
  Result<void> wait(const std::function<bool(const State&)>& done);

  ImportMeter& meter_;
  Guarded<State> state_;
  std::condition_variable job_came_;
  std::condition_variable job_went_;
  std::vector<std::thread> threads_;
};

}  // namespace satchel::store
