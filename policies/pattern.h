// The paths that a rule speaks of: reading a pattern, with its braces multiplied out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policies/glob.h"

namespace satchel::policies {

/// What a pattern is below.
enum class Base : std::uint8_t {
  kRoot,      ///< `/etc/…`: the view's root
  kHome,      ///< `~/…` and `**/…`: the home directory
  kVariable,  ///< `$XDG_CONFIG_HOME/…`: a directory of the person, see policies/places.h
};

/// `**`: any number of directories, none too.
struct AnyDepth {
  friend bool operator==(const AnyDepth&, const AnyDepth&) = default;
};
/// What one step of a path must be: a name, a glob of names, or `**`.
using Component = std::variant<std::string, Glob, AnyDepth>;

/// One pattern without braces. A value.
///
/// `X/**` is everything below X and not X itself. It is kept as {…, AnyDepth, `*`}, so that an
/// AnyDepth is never last.
struct Pattern {
  Base base = Base::kRoot;
  std::string variable{};  ///< of Base::kVariable, without the `$`
  std::vector<Component> components{};
  bool is_directory_only = false;           ///< it ended in a slash
  std::optional<std::size_t> group_root{};  ///< how many components lead to the `//`

  [[nodiscard]] std::string text() const;
  friend bool operator==(const Pattern&, const Pattern&) = default;
};

/// What is wrong with a pattern, and at which of its bytes.
struct PatternFault {
  std::size_t offset = 0;
  std::string message{};
};

struct PatternLimits {
  static constexpr std::size_t kBytesMax = 4096;
  static constexpr std::size_t kNestingMax = 16;             ///< braces within braces
  static constexpr std::size_t kAlternativesMax = 1000;      ///< after multiplying out
  static constexpr std::size_t kExpandedBytesMax = 100'000;  ///< of all alternatives together
  static constexpr std::size_t kComponentsMax = 128;
};

/// Either the patterns (one for each alternative that the braces give, in order) or the first
/// fault.
using ParsedPattern = std::variant<std::vector<Pattern>, PatternFault>;
ParsedPattern parse_pattern(std::string_view text);

}  // namespace satchel::policies
