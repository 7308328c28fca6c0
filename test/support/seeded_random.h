// Randomness that a seed repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/random.h"

namespace satchel::test {

/// The same seed gives the same bytes on every machine. Not thread-safe.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> bytes) override;
  /// A number in 0…bound-1; `bound` is at least 1.
  std::uint64_t below(std::uint64_t bound);
  bool one_in(std::uint64_t count) { return below(count) == 0; }

 private:
  std::uint64_t next();
  std::uint64_t state_;
};

/// The environment's SATCHEL_TEST_SEED, else `otherwise`. Whoever uses it prints it.
std::uint64_t test_seed(std::uint64_t otherwise);

}  // namespace satchel::test
