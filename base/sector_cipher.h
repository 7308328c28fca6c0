// Encrypts sectors of a file that is to be read again by this process alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/random.h"

namespace satchel {

/// AES-256-XTS with a key of its own, which is nowhere but here and goes with it. It hides bytes;
/// it does not notice when somebody changes them.
///
/// Thread-safe.
class SectorCipher {
 public:
  static constexpr std::size_t kSectorBytes = 4096;
  using Sector = std::span<std::byte, kSectorBytes>;

  explicit SectorCipher(Random& random);
  ~SectorCipher();
  SectorCipher(const SectorCipher&) = delete;
  SectorCipher& operator=(const SectorCipher&) = delete;

  /// In place. The same bytes look different in each sector of each file.
  void encrypt(std::uint64_t file, std::uint64_t sector, Sector bytes) const;
  void decrypt(std::uint64_t file, std::uint64_t sector, Sector bytes) const;

 private:
  enum class Direction : int { kDecrypt = 0, kEncrypt = 1 };
  void run(Direction direction, std::uint64_t file, std::uint64_t sector, Sector bytes) const;

  std::array<std::byte, 64> key_{};
};

}  // namespace satchel
