#include "base/path.h"

#include <ostream>

namespace satchel {
namespace {

Error bad_name(int code, std::string_view text, std::string_view why) {
  return {.code = code, .message = std::string(why), .path = std::string(text)};
}

}  // namespace

Result<Name> Name::parse(std::string_view text) {
  if (text.empty()) return bad_name(EINVAL, text, "a file name is empty");
  if (text.size() > kBytesMax) {
    return bad_name(ENAMETOOLONG, text, "a file name is longer than 255 bytes");
  }
  if (text == "." || text == "..") {
    return bad_name(EINVAL, text, "'.' and '..' are not file names here");
  }
  if (text.find('/') != std::string_view::npos || text.find('\0') != std::string_view::npos) {
    return bad_name(EINVAL, text, "a file name holds '/' or a zero byte");
  }
  return Name(text);
}

Name Name::checked(std::string_view text) {
  Result<Name> name = parse(text);
  SATCHEL_ASSERT(name.has_value());
  return *std::move(name);
}

std::ostream& operator<<(std::ostream& out, const Name& name) {
  return out << escape_for_display(name.text());
}

Result<RelativePath> RelativePath::parse(std::string_view text) {
  RelativePath path;
  while (!text.empty()) {
    const std::size_t slash = text.find('/');
    const std::string_view name_text = text.substr(0, slash);
    text = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
    if (name_text.empty()) continue;
    SATCHEL_ASSIGN(const Name name, Name::parse(name_text));
    if (!path.text_.empty()) path.text_ += '/';
    path.text_ += name.text();
  }
  return path;
}

RelativePath RelativePath::operator/(const Name& name) const {
  RelativePath path;
  path.text_.reserve(text_.size() + 1 + name.text().size());
  path.text_ = text_;
  if (!path.text_.empty()) path.text_ += '/';
  path.text_ += name.text();
  return path;
}

std::vector<Name> RelativePath::names() const {
  std::vector<Name> names;
  std::string_view rest = text_;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    names.push_back(Name::checked(rest.substr(0, slash)));
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  }
  return names;
}

RelativePath RelativePath::parent() const {
  RelativePath path;
  const std::size_t slash = text_.rfind('/');
  if (slash != std::string::npos) path.text_ = text_.substr(0, slash);
  return path;
}

Name RelativePath::name() const {
  SATCHEL_ASSERT(!is_root());
  return Name::checked(std::string_view(text_).substr(text_.rfind('/') + 1));
}

bool RelativePath::is_within(const RelativePath& other) const {
  if (other.is_root()) return true;
  if (!text_.starts_with(other.text_)) return false;
  return text_.size() == other.text_.size() || text_[other.text_.size()] == '/';
}

std::ostream& operator<<(std::ostream& out, const RelativePath& path) {
  return out << escape_for_display(path.absolute());
}

std::ostream& operator<<(std::ostream& out, const HostPath& path) {
  return out << escape_for_display(path.text);
}

std::string escape_for_display(std::string_view bytes) {
  static constexpr std::string_view kDigits = "01234567";
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char byte = bytes[i];
    const auto value = static_cast<unsigned char>(byte);
    // U+0080…U+009F in UTF-8: a terminal obeys them just as it does an escape sequence.
    const bool starts_c1_control = value == 0xC2 && i + 1 < bytes.size() &&
                                   (static_cast<unsigned char>(bytes[i + 1]) & 0xE0U) == 0x80U;
    switch (byte) {
      case '\n':
        text += "\\n";
        break;
      case '\t':
        text += "\\t";
        break;
      case '\r':
        text += "\\r";
        break;
      case '"':
      case '\'':
      case '\\':
        text += '\\';
        text += byte;
        break;
      default:
        if (value >= 0x20 && value != 0x7F && !starts_c1_control) {
          text += byte;  // bytes above 0x7F are mostly UTF-8 and stay readable
          break;
        }
        // Three octal digits: unlike \x, they end by themselves.
        text += '\\';
        text += kDigits[value >> 6U];
        text += kDigits[(value >> 3U) & 7U];
        text += kDigits[value & 7U];
    }
  }
  return text;
}

}  // namespace satchel
