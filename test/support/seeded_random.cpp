#include "test/support/seeded_random.h"

#include <cstdlib>

#include "base/result.h"

namespace satchel::test {

// SplitMix64: small, known, and good enough to choose test cases.
std::uint64_t SeededRandom::next() {
  state_ += 0x9E3779B97F4A7C15U;
  std::uint64_t value = state_;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

void SeededRandom::fill(std::span<std::byte> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % sizeof word == 0) word = next();
    bytes[i] = static_cast<std::byte>(word & 0xFFU);
    word >>= 8U;
  }
}

std::uint64_t SeededRandom::below(std::uint64_t bound) {
  SATCHEL_ASSERT(bound > 0);
  return next() % bound;
}

std::uint64_t test_seed(std::uint64_t otherwise) {
  const char* const text = std::getenv("SATCHEL_TEST_SEED");  // NOLINT(concurrency-mt-unsafe)
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

}  // namespace satchel::test
