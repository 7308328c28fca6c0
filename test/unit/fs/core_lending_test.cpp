#include "fs/core_lending.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "base/log.h"
#include "fs/copy_completer.h"
#include "test/support/child_process.h"
#include "test/support/skip.h"

namespace satchel::fs {
namespace {

void on_a_thread(const std::function<void()>& work) {
  std::thread(work).join();
}

int policy() {
  return ::sched_getscheduler(0);
}

}  // namespace

TEST_SUITE("fs/core_lending") {
  TEST_CASE("a core is lent until it is kept") {
    if (!can_lend_core()) SATCHEL_SKIP("needs CAP_SYS_NICE");
    on_a_thread([] {
      for (int i = 0; i < 2; ++i) {
        lend_core();
        lend_core();
        CHECK(policy() == SCHED_IDLE);
        keep_core();
        CHECK(policy() == SCHED_OTHER);
      }
    });
    CHECK(policy() == SCHED_OTHER);
  }

  TEST_CASE("nobody lends a core while there is long work") {
    if (!can_lend_core()) SATCHEL_SKIP("needs CAP_SYS_NICE");
    on_a_thread([] {
      lend_core();
      {
        const LongWork first;
        CHECK(policy() == SCHED_OTHER);
        const LongWork second;
      }
      lend_core();
      CHECK(policy() == SCHED_IDLE);
      {
        const LongWork work;
        on_a_thread([] {
          lend_core();
          CHECK(policy() == SCHED_OTHER);
        });
      }
    });
  }

  TEST_CASE("who has not lent stays as it is") {
    on_a_thread([] {
      const sched_param no_priority{};
      REQUIRE(::sched_setscheduler(0, SCHED_BATCH, &no_priority) == 0);
      CHECK(!can_lend_core());
      keep_core();
      CHECK(policy() == SCHED_BATCH);
    });
  }

  TEST_CASE("who could not take it back does not lend") {
    if (!test::kChildMayStartThreads) return;
    if (::geteuid() != 0) SATCHEL_SKIP("needs root to become nobody");
    const auto end = test::run_in_child([] {
      const rlimit none{};
      if (::setrlimit(RLIMIT_NICE, &none) != 0 || ::setuid(65'534) != 0) return 1;
      return can_lend_core() ? 2 : 0;
    });
    CHECK(end.exit_code == 0);
  }

  TEST_CASE("the copies that a request asks for are not made on lent time") {
    if (!can_lend_core()) SATCHEL_SKIP("needs CAP_SYS_NICE");
    const Log log = Log::to_nowhere();
    std::atomic<int> seen = -1;
    CopyCompleter completer(
        [&](UpperId /*id*/, const std::stop_token& /*stop*/) -> Result<void> {
          seen = policy();
          seen.notify_one();
          return {};
        },
        log);
    on_a_thread([&] {
      lend_core();
      completer.ask(1);
    });
    seen.wait(-1);
    CHECK(seen == SCHED_OTHER);
  }
}

}  // namespace satchel::fs
