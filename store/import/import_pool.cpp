#include "store/import/import_pool.h"

#include <algorithm>
#include <utility>

namespace satchel::store {

ImportPool::ImportPool(unsigned threads, ImportMeter& meter) : meter_(meter) {
  const unsigned count = threads > 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

ImportPool::~ImportPool() {
  {
    auto state = state_.lock();
    state->waiting.clear();
    state->is_closed = true;
    // Jobs that run look at check(), and have nobody left to run for.
    if (!state->error) state->error = Error{.code = ECANCELED};
  }
  job_came_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<void> ImportPool::submit(Job job) {
  SATCHEL_TRY(meter_.tick());
  SATCHEL_TRY(wait([](const State& state) { return state.waiting.size() < kWaitingMax; }));
  state_.lock()->waiting.push_back(std::move(job));
  job_came_.notify_one();
  return {};
}

Result<void> ImportPool::finish() {
  return wait([](const State& state) { return state.waiting.empty() && state.running == 0; });
}

Result<void> ImportPool::check() const {
  const auto state = state_.lock();
  return state->error ? Result<void>(*state->error) : Result<void>();
}

Result<void> ImportPool::wait(const std::function<bool(const State&)>& done) {
  while (true) {
    {
      auto state = state_.lock();
      if (state->error) return *state->error;
      if (done(*state)) return {};
      job_went_.wait_for(state.lock(), ImportMeter::kInterval);
    }
    SATCHEL_TRY(meter_.tick());
  }
}

void ImportPool::work() {
  while (true) {
    Job job;
    {
      auto state = state_.lock();
      job_came_.wait(state.lock(), [&] { return state->is_closed || !state->waiting.empty(); });
      if (state->is_closed) return;
      job = std::move(state->waiting.front());
      state->waiting.pop_front();
      ++state->running;
    }
    job_went_.notify_one();
    Result<void> done = job();
    job = nullptr;  // what it holds goes before it counts as done
    {
      auto state = state_.lock();
      --state->running;
      if (!done && !state->error) state->error = std::move(done).error();
      if (state->error) state->waiting.clear();
    }
    job_went_.notify_one();
  }
}

}  // namespace satchel::store
