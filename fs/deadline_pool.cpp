#include "fs/deadline_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "fs/interruption.h"

namespace satchel::fs {
namespace {

using SteadyClock = std::chrono::steady_clock;
// How soon a caller that was killed is let go.
constexpr std::chrono::milliseconds kInterruptionPoll{100};

struct Job {
  DeadlinePool::Work work;
  Guarded<std::optional<Result<void>>> result;
  std::condition_variable done;
};

Result<void> run_guarded(const DeadlinePool::Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Error{.code = ENOMEM};
  } catch (const std::exception& exception) {
    return Error{.code = EIO, .sat = Sat::kInternal, .message = exception.what()};
  }
}

}  // namespace

struct DeadlinePool::State {
  struct Queue {
    std::deque<std::shared_ptr<Job>> jobs;
    bool is_stopping = false;
  };
  Guarded<Queue> queue;
  std::condition_variable arrived;
  std::atomic<bool> is_stuck = false;  // a deadline has passed, and no work has ended since
  std::vector<std::thread> threads;

  void serve() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        auto locked = queue.lock();
        arrived.wait(locked.lock(), [&] { return locked->is_stopping || !locked->jobs.empty(); });
        if (locked->is_stopping) return;
        job = std::move(locked->jobs.front());
        locked->jobs.pop_front();
      }
      auto result = run_guarded(job->work);
      job->work = nullptr;  // what it owns goes before the caller goes on
      is_stuck = false;
      *job->result.lock() = std::move(result);
      job->done.notify_all();
    }
  }

  bool push(std::shared_ptr<Job> job, std::size_t queue_max) {
    {
      auto locked = queue.lock();
      if (locked->jobs.size() >= queue_max) return false;
      locked->jobs.push_back(std::move(job));
    }
    arrived.notify_one();
    return true;
  }
};

DeadlinePool::DeadlinePool(unsigned threads) : state_(std::make_unique<State>()) {
  for (unsigned i = 0; i < threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->serve(); });
  }
}

DeadlinePool::~DeadlinePool() {
  state_->queue.lock()->is_stopping = true;
  state_->arrived.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

Result<void> DeadlinePool::run(Work work, std::chrono::milliseconds deadline) {
  const auto start = SteadyClock::now();
  const auto end = start + (state_->is_stuck ? std::min(deadline, kStuckDeadline) : deadline);
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  const Error late{.code = ETIMEDOUT,
                   .sat = Sat::kTimeout,
                   .message = "the repository did not answer in time",
                   .hint = "check the connection to the repository"};
  if (!state_->push(job, kQueueMax)) return late;
  auto result = job->result.lock();
  while (!result->has_value()) {
    const auto now = SteadyClock::now();
    if (now >= end) {
      state_->is_stuck = true;
      return late;
    }
    if (now - start >= kInterruptedMin && InterruptionScope::is_interrupted()) {
      return Error{.code = EINTR};
    }
    job->done.wait_until(result.lock(), std::min(end, now + kInterruptionPoll));
  }
  return std::move(**result);
}

void DeadlinePool::start(Work work) {
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  // Dropped when there is a queue: a read-ahead that comes late is of no use.
  (void)state_->push(std::move(job), kBackgroundQueueMax);
}

}  // namespace satchel::fs
