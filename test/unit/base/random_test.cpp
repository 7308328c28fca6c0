#include "base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "test/support/seeded_random.h"

namespace satchel {
namespace {

TEST_SUITE("base/random") {
  TEST_CASE("the system's randomness fills all of it and does not repeat") {
    SystemRandom random;
    std::vector<std::byte> bytes(10'000);
    random.fill(bytes);
    // 64 zero bytes in a row would mean that a part was never written.
    CHECK(std::search_n(bytes.begin(), bytes.end(), 64, std::byte{0}) == bytes.end());
    CHECK(random.number() != random.number());
    random.fill({});
  }

  TEST_CASE("a seed repeats, and another seed differs") {
    test::SeededRandom first(7);
    test::SeededRandom second(7);
    test::SeededRandom third(8);
    std::array<std::byte, 13> a{};
    std::array<std::byte, 13> b{};
    std::array<std::byte, 13> c{};
    first.fill(a);
    second.fill(b);
    third.fill(c);
    CHECK(a == b);
    CHECK(a != c);
    CHECK(first.number() == second.number());
    for (int i = 0; i < 1000; ++i) CHECK(first.below(3) < 3);
  }
}

}  // namespace
}  // namespace satchel
