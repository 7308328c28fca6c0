// The text of the control protocol.
#include <algorithm>
#include <charconv>

#include "fs/control.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kVerbBytesMax = 32;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kVerbBytesMax &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool is_plain(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') ||
         std::string_view("-_./:@,+").find(byte) != std::string_view::npos;
}

void escape_into(std::string& out, std::string_view value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char byte : value) {
    if (is_plain(byte)) {
      out.push_back(byte);
      continue;
    }
    const auto number = static_cast<unsigned char>(byte);
    out.push_back('%');
    out.push_back(kDigits[number >> 4U]);
    out.push_back(kDigits[number & 15U]);
  }
}

Error malformed() {
  return {.code = EINVAL, .sat = Sat::kTransport, .message = "not a line of the control protocol"};
}

Result<std::string> unescape(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_plain(text[i])) {
      value.push_back(text[i]);
      continue;
    }
    if (text[i] != '%' || i + 2 >= text.size()) return malformed();
    unsigned number = 0;
    const char* const digits = text.data() + i + 1;
    const auto parsed = std::from_chars(digits, digits + 2, number, 16);
    if (parsed.ec != std::errc() || parsed.ptr != digits + 2) return malformed();
    value.push_back(static_cast<char>(number));
    i += 2;
  }
  return value;
}

}  // namespace

std::string_view find_field(const ControlFields& fields, std::string_view key) {
  const auto found =
      std::ranges::find_if(fields, [&](const auto& field) { return field.first == key; });
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

std::string encode_control_line(const ControlRequest& line) {
  std::string text = line.verb;
  for (const auto& [key, value] : line.fields) {
    text.append(" ").append(key).append("=");
    escape_into(text, value);
  }
  return text.append("\n");
}

Result<ControlRequest> decode_control_line(std::string_view line) {
  ControlRequest request;
  std::size_t end = std::min(line.find(' '), line.size());
  if (!is_word(line.substr(0, end))) return malformed();
  request.verb = line.substr(0, end);
  while (end < line.size()) {
    line.remove_prefix(end + 1);
    end = std::min(line.find(' '), line.size());
    const std::string_view field = line.substr(0, end);
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos || !is_word(field.substr(0, equals))) return malformed();
    SATCHEL_ASSIGN(auto value, unescape(field.substr(equals + 1)));
    request.fields.emplace_back(field.substr(0, equals), std::move(value));
  }
  return request;
}

}  // namespace satchel::fs
