#include "policies/glob.h"

#include <algorithm>
#include <iterator>

namespace satchel::policies {
namespace {

using Kind = GlobToken::Kind;

bool accepts(const GlobToken& token, char byte) {
  switch (token.kind) {
    case Kind::kByte:
      return token.byte == byte;
    case Kind::kAnyByte:
      return true;
    case Kind::kSet:
      return token.set.test(static_cast<unsigned char>(byte));
    case Kind::kStar:
      break;
  }
  return false;
}

void append_set_member(std::string& text, std::size_t value) {
  const char byte = static_cast<char>(value);
  if (byte == '-' || byte == '!' || byte == '^') text += '\\';
  append_escaped(text, byte);
}

void append_set(std::string& text, const ByteSet& set) {
  // No pattern can name the zero byte, so only a negated set holds it.
  const bool is_negated = set.test(0);
  const ByteSet members = is_negated ? ~set : set;
  text += is_negated ? "[!" : "[";
  for (std::size_t first = 0; first < members.size(); ++first) {
    if (!members.test(first)) continue;
    std::size_t last = first;
    while (last + 1 < members.size() && members.test(last + 1)) ++last;
    append_set_member(text, first);
    if (last > first) {
      text += '-';
      append_set_member(text, last);
    }
    first = last;
  }
  text += ']';
}

}  // namespace

Glob::Glob(std::vector<GlobToken> tokens) : tokens_(std::move(tokens)) {
  const auto is_byte = [](const GlobToken& token) { return token.kind == Kind::kByte; };
  const auto head = std::ranges::find_if_not(tokens_, is_byte);
  for (auto token = tokens_.begin(); token != head; ++token) beginning_ += token->byte;
  const auto tail = std::find_if_not(tokens_.rbegin(), tokens_.rend(), is_byte).base();
  for (auto token = tail; token != tokens_.end(); ++token) end_ += token->byte;
}

bool Glob::matches(std::string_view name) const {
  // Only the last star passed ever needs another try: an earlier one could not reach further.
  std::size_t at = 0;
  std::size_t token = 0;
  std::size_t retry_at = 0;
  std::size_t retry_token = std::string_view::npos;
  while (at < name.size()) {
    if (token < tokens_.size() && tokens_[token].kind == Kind::kStar) {
      retry_token = ++token;
      retry_at = at;
    } else if (token < tokens_.size() && accepts(tokens_[token], name[at])) {
      ++token;
      ++at;
    } else if (retry_token != std::string_view::npos) {
      token = retry_token;
      at = ++retry_at;
    } else {
      return false;
    }
  }
  while (token < tokens_.size() && tokens_[token].kind == Kind::kStar) ++token;
  return token == tokens_.size();
}

std::string Glob::text() const {
  std::string text;
  for (const GlobToken& token : tokens_) {
    switch (token.kind) {
      case Kind::kByte:
        append_escaped(text, token.byte);
        break;
      case Kind::kAnyByte:
        text += '?';
        break;
      case Kind::kSet:
        append_set(text, token.set);
        break;
      case Kind::kStar:
        text += '*';
        break;
    }
  }
  return text;
}

bool Glob::is_any() const {
  return tokens_.size() == 1 && tokens_.front().kind == Kind::kStar;
}

void append_escaped(std::string& text, char byte) {
  static constexpr std::string_view kSpecial = "\\*?[]{},\" \t";
  if (kSpecial.find(byte) != std::string_view::npos) text += '\\';
  text += byte;
}

}  // namespace satchel::policies
