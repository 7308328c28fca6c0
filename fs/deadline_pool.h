// Work that may leave the machine, done on threads that may be left behind.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/result.h"

namespace satchel::fs {

/// How long a request of the kernel's waits for the repository.
inline constexpr std::chrono::milliseconds kRepositoryDeadline{30'000};

/// Runs work on a few threads of its own; who asks waits no longer than a deadline.
///
/// Work that is late goes on and its result is dropped, so it must own what it uses. When all
/// threads are stuck the callers still get their ETIMEDOUT; and after one deadline has passed,
/// later callers wait no longer than kStuckDeadline until any work ends again. Thread-safe. The
/// destructor waits for work that runs; what is still queued is dropped.
class DeadlinePool {
 public:
  using Work = std::function<Result<void>()>;
  static constexpr std::size_t kQueueMax = 1024;
  /// start() leaves this much of the queue to those who wait.
  static constexpr std::size_t kBackgroundQueueMax = 16;
  static constexpr std::chrono::milliseconds kStuckDeadline{1'000};
  /// A caller with a signal stays this long: an answer that comes soon is better than EINTR, which
  /// few programs expect of a file.
  static constexpr std::chrono::milliseconds kInterruptedMin{1'000};

  explicit DeadlinePool(unsigned threads);
  ~DeadlinePool();
  DeadlinePool(const DeadlinePool&) = delete;
  DeadlinePool& operator=(const DeadlinePool&) = delete;

  /// The result of `work`. Errors besides: ETIMEDOUT/kTimeout, EINTR (see fs/interruption.h).
  Result<void> run(Work work, std::chrono::milliseconds deadline);
  /// Does `work` some time, unless much is queued already; its result is nobody's.
  void start(Work work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satchel::fs
