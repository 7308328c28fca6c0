#include "policies/user_dirs.h"

#include <algorithm>
#include <optional>
#include <string>

namespace satchel::policies {
namespace {

constexpr std::string_view kHomeVariable = "$HOME";

/// What stands between the double quotes, a backslash making the next byte mean itself.
std::optional<std::string> unquoted(std::string_view text) {
  if (!text.starts_with('"')) return std::nullopt;
  std::string plain;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return plain;
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    plain += text[at];
  }
  return std::nullopt;
}

void add_line(Home& home, std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view variable = line.substr(0, equals);
  if (!variable.ends_with("_DIR") || std::ranges::count(known_variables(), variable) == 0) return;
  std::optional<std::string> value = unquoted(line.substr(equals + 1));
  if (!value) return;
  if (value->starts_with(kHomeVariable))
    value->replace(0, kHomeVariable.size(), home.path.absolute());
  if (!value->starts_with('/')) return;
  Result<RelativePath> path = RelativePath::parse(*value);
  if (path) home.variables.insert_or_assign(std::string(variable), *std::move(path));
}

}  // namespace

void add_user_dirs(Home& home, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    add_line(home, text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
}

}  // namespace satchel::policies
