#include "base/unique_fd.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace satchel {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

UniqueFd open_null() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST_SUITE("base/unique_fd") {
  TEST_CASE("the owner closes at the end of its life") {
    int raw = -1;
    {
      const UniqueFd fd = open_null();
      raw = fd.get();
      CHECK(fd.valid());
      CHECK(is_open(raw));
    }
    CHECK_FALSE(is_open(raw));
  }

  TEST_CASE("moving hands the descriptor over, and the taker's old one is closed") {
    UniqueFd first = open_null();
    UniqueFd second = open_null();
    const int first_raw = first.get();
    const int second_raw = second.get();
    second = std::move(first);
    CHECK(second.get() == first_raw);
    CHECK_FALSE(is_open(second_raw));
    CHECK_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that it is empty is the point
    UniqueFd third = std::move(second);
    CHECK(third.get() == first_raw);
  }

  TEST_CASE("a released descriptor stays open, and reset closes") {
    UniqueFd fd = open_null();
    const int raw = fd.release();
    CHECK_FALSE(fd.valid());
    CHECK(is_open(raw));
    fd.reset(raw);
    fd.reset();
    CHECK_FALSE(is_open(raw));
  }

  TEST_CASE("closing leaves errno alone") {
    errno = ENOENT;
    { const UniqueFd not_open(1'000'000); }
    CHECK(errno == ENOENT);
  }
}

}  // namespace
}  // namespace satchel
