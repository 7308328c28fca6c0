// What is wrong with a rule file, and where: in the form that reaches the person who wrote it.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace satchel::policies {

/// A value.
struct RuleFault {
  std::string file{};
  std::size_t line = 0;    ///< from 1; 0: the file as a whole
  std::size_t column = 0;  ///< in bytes, from 1
  std::string message{};
  std::string suggestion{};  ///< what was probably meant; empty if nothing is near
  bool is_newer_format = false;
  friend bool operator==(const RuleFault&, const RuleFault&) = default;
};
std::ostream& operator<<(std::ostream& out, const RuleFault& fault);

/// "rules.d/50-app.rules:12:8: unknown key `clas`, did you mean `class`?". Control bytes are
/// escaped.
std::string to_text(const RuleFault& fault);

/// All faults as one Error: a line for each, EINVAL with kRuleSyntax, or kNewerFormat.
Error error_of(std::span<const RuleFault> faults);

/// The nearest of `known` to `text`, if it is near enough to be meant; else empty.
std::string_view nearest_of(std::string_view text, std::span<const std::string_view> known);

}  // namespace satchel::policies
