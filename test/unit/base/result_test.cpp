#include "base/result.h"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

namespace satchel {
namespace {

Result<int> half_of(int number) {
  if (number % 2 != 0) return Error{.code = EINVAL, .message = "odd"};
  return number / 2;
}

Result<std::string> quarter_of(int number) {
  SATCHEL_ASSIGN(const int half, half_of(number));
  int quarter = 0;
  SATCHEL_ASSIGN(quarter, half_of(half));
  return std::to_string(quarter);
}

Result<void> check_even(int number, int& checked) {
  SATCHEL_TRY(half_of(number));
  ++checked;
  return {};
}

Result<std::unique_ptr<int>> owned(int number) {
  SATCHEL_ASSIGN(const int half, half_of(number));
  return std::make_unique<int>(half);
}

TEST_SUITE("base/result") {
  TEST_CASE("a value passes through, and the first error leaves the function") {
    CHECK(*quarter_of(8) == "2");
    CHECK(quarter_of(3).error() == Error{.code = EINVAL, .message = "odd"});
    CHECK(quarter_of(6).error().message == "odd");
  }

  TEST_CASE("SATCHEL_TRY goes on only without an error") {
    int checked = 0;
    CHECK(check_even(2, checked));
    CHECK(checked == 1);
    CHECK(check_even(1, checked).error().code == EINVAL);
    CHECK(checked == 1);
  }

  TEST_CASE("move-only values move out of a result") {
    Result<std::unique_ptr<int>> result = owned(4);
    REQUIRE(result);
    const std::unique_ptr<int> value = *std::move(result);
    CHECK(*value == 2);
    CHECK(owned(3).error().code == EINVAL);
  }

  TEST_CASE("a broken invariant stops the process") {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(STDERR_FILENO);
      (void)std::signal(SIGABRT, SIG_DFL);  // doctest's handler would report a crash
      SATCHEL_ASSERT(child > 0);
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
  }
}

}  // namespace
}  // namespace satchel
