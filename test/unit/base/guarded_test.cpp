#include "base/guarded.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <string>
#include <thread>
#include <vector>

namespace satchel {
namespace {

TEST_SUITE("base/guarded") {
  TEST_CASE("threads that lock lose no increment") {
    Guarded<int> counter(std::in_place, 5);
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&counter] {
        for (int round = 0; round < 10'000; ++round) ++*counter.lock();
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(*counter.lock() == 40'005);
  }

  TEST_CASE("shared locks do not exclude one another") {
    Guarded<std::string, std::shared_mutex> text(std::in_place, "abc");
    const auto first = text.lock_shared();
    const auto second = text.lock_shared();
    CHECK(first->size() + second->size() == 6);
  }

  TEST_CASE("a condition variable waits with the handle's own lock") {
    Guarded<bool> ready(std::in_place, false);
    std::condition_variable changed;
    std::thread setter([&] {
      *ready.lock() = true;
      changed.notify_one();
    });
    {
      auto handle = ready.lock();
      changed.wait(handle.lock(), [&] { return *handle; });
      CHECK(*handle);
    }
    setter.join();
  }
}

}  // namespace
}  // namespace satchel
