#include "policies/pattern.h"

#include <algorithm>
#include <utility>

#include "base/path.h"
#include "policies/pattern_lexer.h"

namespace satchel::policies {
namespace {

using Kind = GlobToken::Kind;

/// One string of tokens as a pattern. The first fault ends it.
class PatternReader {
 public:
  explicit PatternReader(const TokenString& tokens) : tokens_(tokens) {}

  std::variant<Pattern, PatternFault> run() {
    read_base();
    while (!failed_ && at_ < tokens_.size()) read_component();
    if (!failed_) finish();
    if (failed_) return fault_;
    return std::move(pattern_);
  }

 private:
  [[nodiscard]] bool is_plain(std::size_t at, char byte) const {
    return at < tokens_.size() && !tokens_[at].is_slash && !tokens_[at].is_escaped &&
           tokens_[at].glob.kind == Kind::kByte && tokens_[at].glob.byte == byte;
  }
  [[nodiscard]] bool is_slash(std::size_t at) const {
    return at < tokens_.size() && tokens_[at].is_slash;
  }
  [[nodiscard]] bool is_star(std::size_t at) const {
    return at < tokens_.size() && !tokens_[at].is_slash && tokens_[at].glob.kind == Kind::kStar;
  }

  void read_base() {
    if (is_slash(0)) {
      at_ = 1;
      if (is_slash(1)) fail(0, "`//` marks the root of a group and cannot begin a pattern");
    } else if (is_plain(0, '~')) {
      pattern_.base = Base::kHome;
      at_ = 1;
      end_base("`~` stands alone: homes of other people cannot be named");
    } else if (is_plain(0, '$')) {
      pattern_.base = Base::kVariable;
      for (at_ = 1; at_ < tokens_.size() && is_variable_byte(tokens_[at_]); ++at_) {
        pattern_.variable += tokens_[at_].glob.byte;
      }
      end_base("the name of a variable is capitals and `_`, up to a `/`");
    } else if (is_star(0) && is_star(1) && (is_slash(2) || tokens_.size() == 2)) {
      pattern_.base = Base::kHome;
    } else {
      fail(0, "a pattern begins with `~/`, `/`, `$XDG_…/` or `**/`");
    }
  }

  static bool is_variable_byte(const PatternToken& token) {
    const char byte = token.glob.byte;
    return !token.is_slash && !token.is_escaped && token.glob.kind == Kind::kByte &&
           ((byte >= 'A' && byte <= 'Z') || byte == '_');
  }

  /// After `~` or `$NAME`: the slash before the first component, or the end.
  void end_base(std::string message) {
    if (at_ == tokens_.size()) return;
    if (!is_slash(at_)) return fail(at_, std::move(message));
    ++at_;
    if (at_ == tokens_.size()) pattern_.is_directory_only = true;
    if (is_slash(at_)) mark_group_root();
  }

  void read_component() {
    const std::size_t first = at_;
    while (at_ < tokens_.size() && !tokens_[at_].is_slash) ++at_;
    add_component(first, at_);
    if (failed_ || at_ == tokens_.size()) return;
    ++at_;
    if (at_ == tokens_.size()) pattern_.is_directory_only = true;
    if (is_slash(at_)) mark_group_root();
  }

  void mark_group_root() {
    const std::size_t offset = offset_of(at_ - 1);
    ++at_;
    if (pattern_.group_root) return fail_at(offset, "a pattern has at most one `//`");
    if (at_ == tokens_.size()) return fail_at(offset, "nothing follows the `//`");
    if (is_slash(at_)) return fail_at(offset, "more than two slashes stand together");
    if (!pattern_.components.empty() &&
        std::holds_alternative<AnyDepth>(pattern_.components.back())) {
      return fail_at(offset, "the root of a group cannot be `**`");
    }
    pattern_.group_root = pattern_.components.size();
    group_offset_ = offset;
  }

  void add_component(std::size_t first, std::size_t end) {
    std::vector<GlobToken> globs;
    for (std::size_t at = first; at < end; ++at) globs.push_back(tokens_[at].glob);
    const auto is_byte = [](const GlobToken& token) { return token.kind == Kind::kByte; };
    const auto both_stars = [](const GlobToken& a, const GlobToken& b) {
      return a.kind == Kind::kStar && b.kind == Kind::kStar;
    };
    if (std::ranges::all_of(globs, is_byte)) {
      add_name(first, globs);
    } else if (std::ranges::adjacent_find(globs, both_stars) == globs.end()) {
      pattern_.components.emplace_back(Glob(std::move(globs)));
    } else if (globs.size() != 2) {
      fail(first, "`**` stands alone between slashes; within a name write `*`");
    } else if (pattern_.components.empty() ||
               !std::holds_alternative<AnyDepth>(pattern_.components.back())) {
      pattern_.components.emplace_back(AnyDepth{});
    }
    if (pattern_.components.size() > PatternLimits::kComponentsMax) {
      fail(first, "the pattern is deeper than " + std::to_string(PatternLimits::kComponentsMax) +
                      " directories");
    }
  }

  void add_name(std::size_t first, const std::vector<GlobToken>& globs) {
    std::string text;
    for (const GlobToken& token : globs) text += token.byte;
    if (Result<Name> name = Name::parse(text); !name) return fail(first, name.error().message);
    pattern_.components.emplace_back(std::move(text));
  }

  void finish() {
    std::vector<Component>& components = pattern_.components;
    const auto is_any_depth = [](const Component& component) {
      return std::holds_alternative<AnyDepth>(component);
    };
    if (!components.empty() && is_any_depth(components.back())) {
      components.emplace_back(Glob({{.kind = Kind::kStar}}));
    }
    if (!pattern_.group_root) return;
    const auto inside = components.begin() + static_cast<std::ptrdiff_t>(*pattern_.group_root);
    // Where it starts must be clear from the first directory that could be the root.
    const auto* last = std::get_if<Glob>(&components.back());
    const bool holds_all_below = components.end() - inside == 2 && is_any_depth(*inside) &&
                                 last != nullptr && last->is_any();
    if (std::find_if(components.begin(), inside, is_any_depth) != inside && !holds_all_below) {
      fail_at(group_offset_, "after `**` and a `//` only `**` can follow, as in `**/.git//**`");
    }
  }

  [[nodiscard]] std::size_t offset_of(std::size_t at) const {
    if (at < tokens_.size()) return tokens_[at].offset;
    return tokens_.empty() ? 0 : tokens_.back().offset + 1;
  }
  void fail(std::size_t at, std::string message) { fail_at(offset_of(at), std::move(message)); }
  void fail_at(std::size_t offset, std::string message) {
    if (failed_) return;
    failed_ = true;
    fault_ = {.offset = offset, .message = std::move(message)};
  }

  const TokenString& tokens_;
  std::size_t at_ = 0;
  Pattern pattern_;
  std::size_t group_offset_ = 0;
  bool failed_ = false;
  PatternFault fault_;
};

std::string component_text(const Component& component) {
  if (const auto* glob = std::get_if<Glob>(&component)) return glob->text();
  if (std::holds_alternative<AnyDepth>(component)) return "**";
  std::string text;
  for (const char byte : std::get<std::string>(component)) append_escaped(text, byte);
  return text;
}

}  // namespace

std::string Pattern::text() const {
  std::string text = base == Base::kHome ? "~" : base == Base::kVariable ? "$" + variable : "";
  for (std::size_t i = 0; i < components.size(); ++i) {
    text += group_root == i ? "//" : "/";
    text += component_text(components[i]);
  }
  if (is_directory_only || text.empty()) text += '/';
  return text;
}

ParsedPattern parse_pattern(std::string_view text) {
  if (text.size() > PatternLimits::kBytesMax) {
    return PatternFault{
        PatternLimits::kBytesMax,
        "the pattern is longer than " + std::to_string(PatternLimits::kBytesMax) + " bytes"};
  }
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return PatternFault{zero, "a zero byte is in no name"};
  }
  auto expanded = expand_braces(text);
  if (auto* fault = std::get_if<PatternFault>(&expanded)) return std::move(*fault);
  std::vector<Pattern> patterns;
  for (const TokenString& tokens : std::get<std::vector<TokenString>>(expanded)) {
    auto read = PatternReader(tokens).run();
    if (auto* fault = std::get_if<PatternFault>(&read)) return std::move(*fault);
    patterns.push_back(std::get<Pattern>(std::move(read)));
  }
  return patterns;
}

}  // namespace satchel::policies
