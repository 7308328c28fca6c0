#include "policies/rule_lexer.h"

namespace satchel::policies {
namespace {

bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

/// The end of the word that begins at `begin`: the next byte in `ends` that no backslash protects.
std::size_t find_end(std::string_view line, std::size_t begin, std::string_view ends) {
  for (std::size_t at = begin; at < line.size(); ++at) {
    if (line[at] == '\\') {
      ++at;
    } else if (ends.find(line[at]) != std::string_view::npos) {
      return at;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::variant<std::vector<Word>, LineFault> split_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::vector<Word> words;
  std::size_t at = 0;
  while (true) {
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at == line.size() || line[at] == '#') return words;
    const bool is_quoted = line[at] == '"';
    const std::size_t begin = is_quoted ? at + 1 : at;
    std::size_t end = find_end(line, begin, is_quoted ? "\"" : " \t\"");
    if (is_quoted && end == std::string_view::npos) {
      return LineFault{at + 1, "the quote is not closed"};
    }
    if (!is_quoted && end != std::string_view::npos && line[end] == '"') {
      return LineFault{end + 1, "a quote within a word; quote the whole pattern, or write `\\\"`"};
    }
    if (end == std::string_view::npos) end = line.size();
    words.push_back(
        {.text = line.substr(begin, end - begin), .column = begin + 1, .is_quoted = is_quoted});
    at = is_quoted ? end + 1 : end;
    if (at < line.size() && !is_blank(line[at])) {
      return LineFault{at + 1, "a blank is missing after the quote"};
    }
  }
}

}  // namespace satchel::policies
