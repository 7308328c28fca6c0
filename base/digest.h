// 32-byte names of content, one type for each idea.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace satchel {

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT: bytes are chars
}

std::string to_hex(Bytes bytes);

/// A SHA-256-sized name. `Tag` keeps names of different things apart. All zero means "none".
template <typename Tag>
struct Digest {
  static constexpr std::size_t kBytes = 32;
  std::array<std::byte, kBytes> bytes{};

  [[nodiscard]] bool is_none() const { return *this == Digest{}; }
  [[nodiscard]] std::string hex() const { return to_hex(bytes); }
  /// Errors: EINVAL unless `text` is 64 lower-case hexadecimal digits.
  static Result<Digest> from_hex(std::string_view text);

  friend auto operator<=>(const Digest&, const Digest&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Digest& digest) {
    return out << digest.hex();
  }
};

namespace detail {
Result<std::array<std::byte, 32>> digest_from_hex(std::string_view text);
}
template <typename Tag>
Result<Digest<Tag>> Digest<Tag>::from_hex(std::string_view text) {
  SATCHEL_ASSIGN(auto bytes, detail::digest_from_hex(text));
  return Digest{bytes};
}

}  // namespace satchel

template <typename Tag>
struct std::hash<satchel::Digest<Tag>> {
  std::size_t operator()(const satchel::Digest<Tag>& digest) const noexcept {
    std::size_t value = 0;  // the digest is uniformly distributed already
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};
