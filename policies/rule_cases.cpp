#include "policies/rule_cases.h"

#include <algorithm>
#include <utility>

#include "policies/rule_lexer.h"

namespace satchel::policies {
namespace {

std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    plain += text[at];
  }
  return plain;
}

Error bad_case(const RuleFile& file, std::size_t line, std::string message) {
  return {.code = EINVAL,
          .sat = Sat::kRuleSyntax,
          .message = file.name + ":" + std::to_string(line) + ": " + std::move(message)};
}

RelativePath checked_path(std::string_view text) {
  Result<RelativePath> path = RelativePath::parse(text);
  SATCHEL_ASSERT(path.has_value());
  return *std::move(path);
}

const RelativePath& home() {
  return case_view().homes.front().path;
}

Result<RuleCase> parse_case(const std::vector<Word>& words) {
  RuleCase parsed;
  std::string path = unescaped(words[0].text);
  if (!path.starts_with('~') && !path.starts_with('/')) {
    return Error{.code = EINVAL, .message = "a path begins in `~` or `/`"};
  }
  if (path.ends_with('/')) parsed.kind = PathKind::kDirectory;
  if (path.starts_with('~')) path.replace(0, 1, home().absolute());
  SATCHEL_ASSIGN(parsed.path, RelativePath::parse(path));
  std::vector<std::string> keys;
  for (const Word& word : std::span(words).subspan(1)) keys.push_back(unescaped(word.text));
  if (keys.empty()) return Error{.code = EINVAL, .message = "the expected action is missing"};
  std::sort(keys.begin() + 1, keys.end());
  for (const std::string& key : keys) parsed.expected += (parsed.expected.empty() ? "" : " ") + key;
  return parsed;
}

/// As a case writes it.
std::string place_text(const RelativePath& path) {
  if (!path.is_within(home())) return path.absolute();
  return "~" + path.text().substr(home().text().size());
}

}  // namespace

const ViewOptions& case_view() {
  static const ViewOptions view{
      .homes = {{.path = checked_path("home/ada"),
                 .variables = {{"XDG_RUNTIME_DIR", checked_path("runtime-directory")}}}}};
  return view;
}

Result<std::vector<RuleCase>> parse_cases(const RuleFile& file) {
  std::vector<RuleCase> cases;
  std::size_t line = 0;
  for (std::string_view rest = file.text; !rest.empty();) {
    ++line;
    const std::size_t end = rest.find('\n');
    auto split = split_line(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (const auto* fault = std::get_if<LineFault>(&split)) {
      return bad_case(file, line, fault->message);
    }
    const auto& words = std::get<std::vector<Word>>(split);
    if (words.empty()) continue;
    Result<RuleCase> parsed = parse_case(words);
    if (!parsed) return bad_case(file, line, parsed.error().message);
    parsed->file = file.name;
    parsed->line = line;
    cases.push_back(*std::move(parsed));
  }
  return cases;
}

std::string answer_text(const RuleSet& rules, const RuleCase& asked) {
  const Decision decision = rules.decide(asked.path, asked.kind);
  const Attributes& attributes = decision.attributes;
  std::string text(to_text(decision.action));
  // The keys in the order of the alphabet, as parse_cases() sorts them.
  if (decision.travels()) text.append(" class=").append(to_text(decision.data_class));
  if (!attributes.group.empty()) {
    text.append(" group=").append(attributes.group).append("@");
    text.append(place_text(group_root_of(asked.path, decision)));
  }
  if (attributes.merge != Merge::kByPolicy)
    text.append(" merge=").append(to_text(attributes.merge));
  if (attributes.is_secret) text.append(" secret=yes");
  return text;
}

std::vector<std::string> failed_cases(const RuleSet& rules, std::span<const RuleCase> cases) {
  std::vector<std::string> failures;
  for (const RuleCase& asked : cases) {
    const std::string answer = answer_text(rules, asked);
    if (answer == asked.expected) continue;
    const Decision decision = rules.decide(asked.path, asked.kind);
    failures.push_back(asked.file + ":" + std::to_string(asked.line) + ": " +
                       place_text(asked.path) + ": expected `" + asked.expected +
                       "`, and the rules say `" + answer + "` (" + std::string(decision.rule) +
                       ", " + std::string(decision.origin) + ")");
  }
  return failures;
}

}  // namespace satchel::policies
