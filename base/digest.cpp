#include "base/digest.h"

namespace satchel {
namespace {

/// The value of a lower-case hexadecimal digit, or -1.
int value_of_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(Bytes bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    text += kDigits[std::to_integer<std::size_t>(byte & std::byte{0x0F})];
  }
  return text;
}

namespace detail {

Result<std::array<std::byte, 32>> digest_from_hex(std::string_view text) {
  const auto not_a_digest = [] {
    return Error{.code = EINVAL,
                 .message = "not an id: 64 lower-case hexadecimal digits are needed"};
  };
  std::array<std::byte, 32> bytes{};
  if (text.size() != bytes.size() * 2) return not_a_digest();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = value_of_digit(text[2 * i]);
    const int low = value_of_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return not_a_digest();
    bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  return bytes;
}

}  // namespace detail
}  // namespace satchel
