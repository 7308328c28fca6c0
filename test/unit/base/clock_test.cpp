#include "base/clock.h"

#include <doctest/doctest.h>

#include "test/support/manual_clock.h"

namespace satchel {
namespace {

TEST_SUITE("base/clock") {
  TEST_CASE("the system clock tells the kernel's time and does not stand still for ever") {
    const SystemClock clock;
    const Timestamp first = clock.now();
    timespec kernel{};
    REQUIRE(::clock_gettime(CLOCK_REALTIME, &kernel) == 0);
    CHECK((first <=> Timestamp::from(kernel)) <= 0);
    CHECK(kernel.tv_sec - first.seconds < 60);
    Timestamp later = clock.now();
    for (int i = 0; i < 1'000'000 && later == first; ++i) later = clock.now();
    CHECK((later <=> first) > 0);
  }

  TEST_CASE("timestamps order by seconds, then nanoseconds, and may lie before 1970") {
    CHECK((Timestamp{1, 999'999'999} <=> Timestamp{2, 0}) < 0);
    CHECK((Timestamp{2, 1} <=> Timestamp{2, 0}) > 0);
    const timespec before_1970{.tv_sec = -1, .tv_nsec = 5};
    const Timestamp timestamp = Timestamp::from(before_1970);
    CHECK(timestamp.seconds == -1);
    CHECK(timestamp.to_timespec().tv_sec == -1);
    CHECK(timestamp.to_timespec().tv_nsec == 5);
  }

  TEST_CASE("a manual clock moves only when told") {
    test::ManualClock clock({.seconds = 10, .nanoseconds = 3});
    CHECK(clock.now() == Timestamp{10, 3});
    clock.advance_seconds(5);
    CHECK(clock.now() == Timestamp{15, 3});
    clock.set({1, 2});
    CHECK(clock.now() == Timestamp{1, 2});
  }
}

}  // namespace
}  // namespace satchel
