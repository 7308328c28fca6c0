// Randomness, so that tests can repeat it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace satchel {

/// Where ids, nonces and names of temporary files come from. Never fails (no entropy is a crash).
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> bytes) = 0;
  /// Eight bytes of fill().
  std::uint64_t number();
};

/// getrandom(2): good for keys. Thread-safe.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> bytes) override;
};

}  // namespace satchel
