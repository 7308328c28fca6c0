// SHA-256, by OpenSSL. The one door to a hash function.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace satchel {

using Sha256Value = std::array<std::byte, 32>;

/// One digest of one span. Never fails (no memory is a crash). Uses a context kept per thread.
Sha256Value sha256(std::span<const std::byte> bytes);
/// HMAC-SHA-256 with `key`.
Sha256Value hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> bytes);

/// A digest over pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256& update(std::span<const std::byte> bytes);
  /// Ends the digest and starts a new one.
  Sha256Value finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace satchel
