#include "fs/deadline_pool.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "fs/interruption.h"

namespace satchel::fs {
namespace {

using std::chrono::milliseconds;

}  // namespace

TEST_SUITE("fs/deadline_pool") {
  TEST_CASE("work gives its own result, and what it throws is an error") {
    DeadlinePool pool(2);
    CHECK(pool.run([]() -> Result<void> { return {}; }, milliseconds(10'000)));
    CHECK(pool.run([]() -> Result<void> { return Error{.code = EBADMSG}; }, milliseconds(10'000))
              .error()
              .code == EBADMSG);
    CHECK(pool.run([]() -> Result<void> { throw std::bad_alloc(); }, milliseconds(10'000))
              .error()
              .code == ENOMEM);
  }

  TEST_CASE("late work is left behind, also when every thread is stuck") {
    auto gate = std::make_shared<std::promise<void>>();
    const auto opened = gate->get_future().share();
    auto finished = std::make_shared<std::atomic<int>>(0);
    {
      DeadlinePool pool(1);
      for (int i = 0; i < 2; ++i) {
        const auto late = pool.run(
            [opened, finished]() -> Result<void> {
              opened.wait();
              ++*finished;
              return {};
            },
            milliseconds(20));
        CHECK(late.error().code == ETIMEDOUT);
        CHECK(late.error().sat == Sat::kTimeout);
      }
      gate->set_value();
      CHECK(pool.run([]() -> Result<void> { return {}; }, milliseconds(10'000)));
    }
    CHECK(finished->load() == 2);
  }

  TEST_CASE("after a deadline has passed, callers wait briefly until some work ends") {
    auto gate = std::make_shared<std::promise<void>>();
    const auto opened = gate->get_future().share();
    const auto wait = [opened]() -> Result<void> {
      opened.wait();
      return {};
    };
    const auto seconds_of = [](const auto& function) {
      const auto start = std::chrono::steady_clock::now();
      function();
      return std::chrono::steady_clock::now() - start;
    };
    DeadlinePool pool(2);
    CHECK(pool.run(wait, milliseconds(20)).error().code == ETIMEDOUT);
    CHECK(seconds_of([&] {
            CHECK(pool.run(wait, milliseconds(60'000)).error().code == ETIMEDOUT);
          }) < milliseconds(30'000));
    CHECK(pool.run(wait, milliseconds(10)).error().code == ETIMEDOUT);
    gate->set_value();
    REQUIRE(pool.run([]() -> Result<void> { return {}; }, milliseconds(10'000)));
    // Longer than the short deadline: it is over.
    const auto slow = [] {
      std::this_thread::sleep_for(DeadlinePool::kStuckDeadline + milliseconds(200));
      return Result<void>();
    };
    CHECK(pool.run(slow, milliseconds(60'000)));
  }

  TEST_CASE("who was killed is dying, who was only signalled is not") {
    CHECK_FALSE(is_dying(::getpid()));
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    CHECK_FALSE(is_dying(child));
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    CHECK(is_dying(child));
  }

  TEST_CASE("a caller that is interrupted leaves") {
    auto gate = std::make_shared<std::promise<void>>();
    const auto opened = gate->get_future().share();
    DeadlinePool pool(1);
    std::atomic<bool> interrupted = false;
    const InterruptionScope scope(
        [](void* context) { return static_cast<std::atomic<bool>*>(context)->load(); },
        &interrupted);
    std::thread killer([&] {
      std::this_thread::sleep_for(milliseconds(30));
      interrupted = true;
    });
    const auto result = pool.run(
        [opened]() -> Result<void> {
          opened.wait();
          return {};
        },
        milliseconds(30'000));
    CHECK(result.error().code == EINTR);
    killer.join();
    gate->set_value();
  }
}

}  // namespace satchel::fs
