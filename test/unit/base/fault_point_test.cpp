#include "base/fault_point.h"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace satchel {
namespace {

TEST_SUITE("base/fault_point") {
  TEST_CASE("points do nothing until one is set") {
    CHECK(fault_point("a.write"));
    CHECK(fault_point_hits() == 0);
  }

  TEST_CASE("the n-th arrival fails once, arrivals elsewhere do not count") {
    REQUIRE(set_fault_point("a.write:2:eio"));
    CHECK(fault_point("b.write"));
    CHECK(fault_point("a.write"));
    const auto second = fault_point("a.write");
    REQUIRE(!second);
    CHECK(second.error().code == EIO);
    CHECK(second.error().sat == Sat::kIo);
    CHECK(fault_point("a.write"));
    CHECK(fault_point_hits() == 3);
    REQUIRE(set_fault_point(""));
    CHECK(fault_point("a.write"));
    CHECK(fault_point_hits() == 0);
  }

  TEST_CASE("a star means every point, count 0 only counts") {
    REQUIRE(set_fault_point("*:0"));
    CHECK(fault_point("a"));
    CHECK(fault_point("b"));
    CHECK(fault_point_hits() == 2);
    REQUIRE(set_fault_point(""));
  }

  TEST_CASE("a sync can be left out, once or always") {
    REQUIRE(set_fault_point("a.fsync:2:skip"));
    CHECK(fault_point("a.fsync").value() == Step::kDo);
    CHECK(fault_point("a.fsync").value() == Step::kLeaveOut);
    CHECK(fault_point("a.fsync").value() == Step::kDo);
    REQUIRE(set_fault_point("a.fsync:0:skip"));
    constexpr int kNoDescriptor = -1;  // an fsync would fail
    CHECK(fsync_at_fault_point("a.fsync", kNoDescriptor));
    CHECK(fsync_at_fault_point("a.fsync", kNoDescriptor));
    CHECK(!fsync_at_fault_point("b.fsync", kNoDescriptor));
    REQUIRE(set_fault_point(""));
  }

  TEST_CASE("kill means SIGKILL, with no destructor run") {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)set_fault_point("a:1");
      (void)fault_point("a");
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGKILL);
  }

  TEST_CASE("a setting that cannot be read is a usage error") {
    for (const std::string text : {"a", ":1", "a:", "a:x", "a:1:burn", "a:-1"}) {
      CAPTURE(text);
      const auto result = set_fault_point(text);
      REQUIRE(!result);
      CHECK(result.error().sat == Sat::kUsage);
    }
  }
}

}  // namespace
}  // namespace satchel
