// The first half of reading a pattern: bytes to tokens, and braces to their alternatives.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "policies/glob.h"
#include "policies/pattern.h"

namespace satchel::policies {

/// One token of a pattern without braces.
struct PatternToken {
  GlobToken glob{};
  bool is_slash = false;    ///< a separator; `glob` means nothing
  bool is_escaped = false;  ///< written with a backslash, so that `~` and `$` mean themselves
  std::size_t offset = 0;   ///< in the pattern's text, for faults
};
using TokenString = std::vector<PatternToken>;

/// One string of tokens for each way through the braces, in the order of the text; or the first
/// fault. Cost is bounded by PatternLimits whatever the text.
std::variant<std::vector<TokenString>, PatternFault> expand_braces(std::string_view text);

}  // namespace satchel::policies
