// A line of a rule file as words.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satchel::policies {

/// One word as it was written, backslashes included.
struct Word {
  std::string_view text{};  ///< without the quotes around it
  std::size_t column = 0;   ///< of the first byte of `text`, from 1
  bool is_quoted = false;
};
struct LineFault {
  std::size_t column = 0;
  std::string message{};
};

/// The words of a line, up to a `#` that begins one. Words live as long as `line`.
std::variant<std::vector<Word>, LineFault> split_line(std::string_view line);

}  // namespace satchel::policies
