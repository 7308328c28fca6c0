#include "policies/pattern_lexer.h"

#include <array>
#include <cctype>
#include <string>
#include <utility>

namespace satchel::policies {
namespace {

using Strings = std::vector<TokenString>;
using Kind = GlobToken::Kind;

std::size_t total_tokens(const Strings& strings) {
  std::size_t total = 0;
  for (const TokenString& string : strings) total += string.size();
  return total;
}

PatternToken byte_token(char byte, std::size_t offset) {
  return {.glob = {.kind = Kind::kByte, .byte = byte}, .offset = offset};
}

/// POSIX classes of the C locale: a rule means the same everywhere.
struct NamedSet {
  std::string_view name;
  bool (*holds)(int byte);
};
template <int (*Is)(int)>
bool holds(int byte) {
  return byte < 0x80 && Is(byte) != 0;
}
constexpr std::array kNamedSets = {
    NamedSet{"alnum", holds<std::isalnum>}, NamedSet{"alpha", holds<std::isalpha>},
    NamedSet{"blank", holds<std::isblank>}, NamedSet{"cntrl", holds<std::iscntrl>},
    NamedSet{"digit", holds<std::isdigit>}, NamedSet{"graph", holds<std::isgraph>},
    NamedSet{"lower", holds<std::islower>}, NamedSet{"print", holds<std::isprint>},
    NamedSet{"punct", holds<std::ispunct>}, NamedSet{"space", holds<std::isspace>},
    NamedSet{"upper", holds<std::isupper>}, NamedSet{"xdigit", holds<std::isxdigit>},
};

/// Recursive descent over the text; the first fault ends it.
class BraceExpander {
 public:
  explicit BraceExpander(std::string_view text) : text_(text) {}

  std::variant<Strings, PatternFault> run() {
    Strings strings = sequence(0);
    if (!failed_ && at_ < text_.size()) fail(at_, "`}` without a `{` before it; write `\\}`");
    if (failed_) return fault_;
    return strings;
  }

 private:
  /// Up to the end of the text, or, inside braces, up to a `,` or `}`.
  Strings sequence(std::size_t nesting) {
    Strings strings(1);
    while (!failed_ && at_ < text_.size()) {
      const char byte = text_[at_];
      if (byte == '}' || (byte == ',' && nesting > 0)) break;
      if (byte == '{') {
        strings = combine(strings, alternatives(nesting + 1));
      } else {
        const PatternToken token = single();
        for (TokenString& string : strings) string.push_back(token);
        check_size(strings.size(), total_tokens(strings), token.offset);
      }
    }
    return strings;
  }

  Strings alternatives(std::size_t nesting) {
    const std::size_t open = at_++;
    if (nesting > PatternLimits::kNestingMax) {
      fail(open,
           "braces are nested more than " + std::to_string(PatternLimits::kNestingMax) + " deep");
      return {};
    }
    Strings strings = sequence(nesting);
    std::size_t count = 1;
    for (; !failed_ && at_ < text_.size() && text_[at_] == ','; ++count) {
      ++at_;
      for (TokenString& string : sequence(nesting)) strings.push_back(std::move(string));
      check_size(strings.size(), total_tokens(strings), open);
    }
    if (failed_) return {};
    if (at_ >= text_.size()) {
      fail(open, "`{` without its `}`; write `\\{` if the name holds it");
    } else if (count == 1) {
      fail(open, "braces hold alternatives with commas between, as in `{a,b}`");
    }
    ++at_;
    return strings;
  }

  Strings combine(const Strings& heads, const Strings& tails) {
    if (failed_) return {};
    const std::size_t size =
        total_tokens(heads) * tails.size() + total_tokens(tails) * heads.size();
    if (!check_size(heads.size() * tails.size(), size, at_ - 1)) return {};
    Strings strings;
    strings.reserve(heads.size() * tails.size());
    for (const TokenString& head : heads) {
      for (const TokenString& tail : tails) {
        strings.push_back(head);
        strings.back().insert(strings.back().end(), tail.begin(), tail.end());
      }
    }
    return strings;
  }

  bool check_size(std::size_t count, std::size_t tokens, std::size_t offset) {
    if (count > PatternLimits::kAlternativesMax) {
      fail(offset, "the braces give more than " + std::to_string(PatternLimits::kAlternativesMax) +
                       " patterns");
    } else if (tokens > PatternLimits::kExpandedBytesMax) {
      fail(offset, "the braces give patterns of more than " +
                       std::to_string(PatternLimits::kExpandedBytesMax) + " bytes together");
    }
    return !failed_;
  }

  PatternToken single() {
    const std::size_t offset = at_;
    const char byte = text_[at_++];
    switch (byte) {
      case '/':
        return {.is_slash = true, .offset = offset};
      case '*':
        return {.glob = {.kind = Kind::kStar}, .offset = offset};
      case '?':
        return {.glob = {.kind = Kind::kAnyByte}, .offset = offset};
      case '[':
        return {.glob = {.kind = Kind::kSet, .set = set(offset)}, .offset = offset};
      case '\\': {
        PatternToken token = byte_token(escaped(offset), offset);
        token.is_escaped = true;
        return token;
      }
      default:
        return byte_token(byte, offset);
    }
  }

  /// The byte after a backslash at `offset`.
  char escaped(std::size_t offset) {
    if (at_ >= text_.size()) {
      fail(offset, "a backslash ends the pattern; write `\\\\` for the byte itself");
      return '\0';
    }
    const char byte = text_[at_++];
    if (byte == '/' || std::isalnum(static_cast<unsigned char>(byte)) != 0) {
      fail(offset, std::string("`\\") + byte + "` means nothing; a backslash stands before a sign");
    }
    return byte;
  }

  /// After a `[` at `open`.
  ByteSet set(std::size_t open) {
    ByteSet members;
    const bool is_negated = at_ < text_.size() && (text_[at_] == '!' || text_[at_] == '^');
    if (is_negated) ++at_;
    for (bool is_first = true; !failed_; is_first = false) {
      if (at_ >= text_.size() || text_[at_] == '/') {
        fail(open, "`[` without its `]`; write `\\[` if the name holds it");
      } else if (text_[at_] == ']' && !is_first) {
        ++at_;
        break;
      } else if (text_.substr(at_, 2) == "[:") {
        members |= named_set();
      } else {
        add_range(members);
      }
    }
    return is_negated ? ~members : members;
  }

  ByteSet named_set() {
    const std::size_t open = at_;
    const std::size_t close = text_.find(":]", open);
    const std::string_view name = close == std::string_view::npos
                                      ? std::string_view{}
                                      : text_.substr(open + 2, close - open - 2);
    ByteSet members;
    for (const NamedSet& named : kNamedSets) {
      if (named.name != name) continue;
      for (int byte = 0; byte < 256; ++byte) {
        if (named.holds(byte)) members.set(static_cast<std::size_t>(byte));
      }
      // The zero byte is in no name, and would read as a negated set.
      members.reset(0);
      at_ = close + 2;
      return members;
    }
    fail(open,
         "no such set; there are [:alnum:] [:alpha:] [:blank:] [:cntrl:] [:digit:] [:graph:] "
         "[:lower:] [:print:] [:punct:] [:space:] [:upper:] [:xdigit:]");
    return {};
  }

  void add_range(ByteSet& members) {
    const std::size_t offset = at_;
    const auto first = static_cast<unsigned char>(set_byte());
    auto last = first;
    if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
      ++at_;
      last = static_cast<unsigned char>(set_byte());
    }
    if (last < first) fail(offset, "the range runs backwards");
    for (std::size_t byte = first; byte <= last; ++byte) members.set(byte);
  }

  char set_byte() {
    const std::size_t offset = at_;
    const char byte = text_[at_++];
    return byte == '\\' ? escaped(offset) : byte;
  }

  void fail(std::size_t offset, std::string message) {
    if (failed_) return;
    failed_ = true;
    fault_ = {.offset = offset, .message = std::move(message)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool failed_ = false;
  PatternFault fault_;
};

}  // namespace

std::variant<Strings, PatternFault> expand_braces(std::string_view text) {
  return BraceExpander(text).run();
}

}  // namespace satchel::policies
