#include "base/version.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace satchel {
namespace {

TEST_SUITE("base/version") {
  TEST_CASE("the version is three numbers with dots") {
    CHECK(std::ranges::count(version(), '.') == 2);
    CHECK(version().find_first_not_of("0123456789.") == std::string_view::npos);
  }
}

}  // namespace
}  // namespace satchel
