#include "test/unit/policies/naive_rules.h"

#include <optional>
#include <sstream>

namespace satchel::test {
namespace {

using Texts = std::vector<std::string>;

/// The braces multiplied out, by replacing the first outermost pair and starting again.
Texts expand(const std::string& text) {
  const std::size_t open = text.find('{');
  if (open == std::string::npos) return {text};
  int depth = 0;
  std::size_t begin = open + 1;
  Texts choices;
  std::size_t at = open;
  for (;; ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}') --depth;
    if (depth == 0 || (depth == 1 && text[at] == ',')) {
      choices.push_back(text.substr(begin, at - begin));
      begin = at + 1;
    }
    if (depth == 0) break;
  }
  Texts expanded;
  for (const std::string& choice : choices) {
    for (const std::string& result : expand(text.substr(0, open) + choice + text.substr(at + 1))) {
      expanded.push_back(result);
    }
  }
  return expanded;
}

Texts split(const std::string& path) {
  Texts names;
  std::istringstream stream(path);
  for (std::string name; std::getline(stream, name, '/');) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

bool name_matches(std::string_view glob, std::string_view name) {
  if (glob.empty()) return name.empty();
  if (glob[0] == '*') {
    for (std::size_t skipped = 0; skipped <= name.size(); ++skipped) {
      if (name_matches(glob.substr(1), name.substr(skipped))) return true;
    }
    return false;
  }
  if (name.empty()) return false;
  if (glob[0] == '?') return name_matches(glob.substr(1), name.substr(1));
  if (glob[0] != '[') return glob[0] == name[0] && name_matches(glob.substr(1), name.substr(1));
  const bool negated = glob[1] == '!';
  const std::size_t close = glob.find(']', negated ? 3 : 2);
  bool found = false;
  for (std::size_t at = negated ? 2 : 1; at < close; ++at) {
    if (at + 2 < close && glob[at + 1] == '-') {
      found = found || (glob[at] <= name[0] && name[0] <= glob[at + 2]);
      at += 2;
    } else {
      found = found || glob[at] == name[0];
    }
  }
  return found != negated && name_matches(glob.substr(close + 1), name.substr(1));
}

/// `**` at the end needs a name to stand for.
bool path_matches(const Texts& pattern, std::size_t p, const Texts& names, std::size_t n) {
  if (p == pattern.size()) return n == names.size();
  if (pattern[p] == "**") {
    if (p + 1 == pattern.size()) return n < names.size();
    for (std::size_t skipped = n; skipped <= names.size(); ++skipped) {
      if (path_matches(pattern, p + 1, names, skipped)) return true;
    }
    return false;
  }
  return n < names.size() && name_matches(pattern[p], names[n]) &&
         path_matches(pattern, p + 1, names, n + 1);
}

bool pattern_matches(const std::string& pattern, const Texts& names, bool is_directory) {
  if (pattern.ends_with('/') && !is_directory) return false;
  return path_matches(split(pattern), 0, names, 0);
}

/// How many names lead to the group's root: the fewest for which both halves match.
std::optional<std::size_t> find_root(const std::string& pattern, const Texts& names) {
  const std::size_t mark = pattern.find("//");
  for (std::size_t count = 0; count <= names.size(); ++count) {
    const auto middle = names.begin() + static_cast<std::ptrdiff_t>(count);
    if (path_matches(split(pattern.substr(0, mark)), 0, Texts(names.begin(), middle), 0) &&
        path_matches(split(pattern.substr(mark)), 0, Texts(middle, names.end()), 0)) {
      return count;
    }
  }
  return std::nullopt;
}

}  // namespace

void NaiveRules::add(const std::string& line) {
  std::istringstream words(line);
  Rule rule;
  std::string pattern;
  words >> rule.action >> pattern;
  for (std::string key; words >> key;) {
    if (key.starts_with("class=")) rule.data_class = key.substr(6);
    if (key.starts_with("group=")) rule.group = key.substr(6);
  }
  if (rule.action == "image") rule.data_class = "app";
  for (std::string text : expand(pattern)) {
    if (text.starts_with("~")) text = home_ + text.substr(1);
    if (text.starts_with("**")) text = home_ + "/" + text;
    rule.patterns.push_back(text);
  }
  rules_.push_back(rule);
}

NaiveAnswer NaiveRules::decide(const std::string& path, bool is_directory) const {
  const Texts names = split(path);
  NaiveAnswer answer;
  for (std::size_t number = rules_.size(); number-- > 0;) {
    const Rule& rule = rules_[number];
    std::optional<std::size_t> root;
    bool matches = false;
    for (const std::string& pattern : rule.patterns) {
      if (!pattern_matches(pattern, names, is_directory)) continue;
      matches = true;
      const auto found = rule.group.empty() ? std::nullopt : find_root(pattern, names);
      if (found && (!root || *found < *root)) root = found;
    }
    if (!matches) continue;
    if (answer.action.empty()) {
      answer.action = rule.action;
      answer.line = number;
      answer.group = rule.group;
      for (std::size_t i = 0; root && i < *root; ++i) answer.group_root += "/" + names[i];
    }
    if (answer.data_class.empty()) answer.data_class = rule.data_class;
  }
  return answer;
}

}  // namespace satchel::test
