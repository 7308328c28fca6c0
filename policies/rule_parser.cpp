#include "policies/rule_parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policies/places.h"
#include "policies/rule_keys.h"
#include "policies/rule_lexer.h"

namespace satchel::policies {
namespace {

constexpr std::string_view kHeaderWord = "satchel-rules";
constexpr std::string_view kFormat = "1";

enum class Block : std::uint8_t { kDefault, kApp, kSystem, kNever };
constexpr std::array<std::string_view, 4> kBlockNames = {"default", "app", "system", "never"};

constexpr std::array kActions = {Action::kSync,    Action::kMachine, Action::kLocal,
                                 Action::kDiscard, Action::kImage,   Action::kDeny};

bool does_travel(Action action) {
  return Decision{.action = action}.travels();
}

bool is_wild(const Component& component) {
  return !std::holds_alternative<std::string>(component);
}

/// `…/**` with only names before it, or only names.
bool has_plain_root(const Pattern& pattern) {
  const auto& components = pattern.components;
  const auto wild = std::ranges::find_if(components, is_wild);
  if (wild == components.end()) return true;
  const auto* last = std::get_if<Glob>(&components.back());
  return components.end() - wild == 2 && std::holds_alternative<AnyDepth>(*wild) &&
         last != nullptr && last->is_any();
}

class FileParser {
 public:
  explicit FileParser(const RuleFile& file) : file_(file) {}

  ParsedRules run() {
    if (file_.text.size() > RuleFileLimits::kFileBytesMax) {
      fail(0,
           "the file is longer than " + std::to_string(RuleFileLimits::kFileBytesMax) + " bytes");
      return std::move(parsed_);
    }
    std::string_view rest = file_.text;
    while (!rest.empty() && !stopped_) {
      ++line_;
      const std::size_t end = rest.find('\n');
      read_line(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    if (!has_header_ && !file_.text.empty() && !stopped_) fail_header(1);
    return std::move(parsed_);
  }

 private:
  void read_line(std::string_view line) {
    if (line.size() > RuleFileLimits::kLineBytesMax) {
      return fail(
          1, "the line is longer than " + std::to_string(RuleFileLimits::kLineBytesMax) + " bytes");
    }
    if (const std::size_t zero = line.find('\0'); zero != std::string_view::npos) {
      return fail(zero + 1, "a zero byte; this is no text");
    }
    auto split = split_line(line);
    if (const auto* fault = std::get_if<LineFault>(&split)) {
      return fail(fault->column, fault->message);
    }
    const auto& words = std::get<std::vector<Word>>(split);
    if (words.empty()) return;
    if (!has_header_) return read_header(words);
    if (!words[0].is_quoted && words[0].text.starts_with('[')) return read_block(words);
    read_rule(words);
  }

  void read_header(const std::vector<Word>& words) {
    has_header_ = true;
    if (words.size() != 2 || words[0].text != kHeaderWord) return fail_header(words[0].column);
    if (words[1].text == kFormat) return;
    fail(words[1].column, "rules of format " + quoted(words[1].text) +
                              ", and this program knows only format " + std::string(kFormat));
    parsed_.faults.back().is_newer_format = true;
    stopped_ = true;
  }

  void fail_header(std::size_t column) {
    fail(column, "a rule file begins with the line `satchel-rules 1`");
    stopped_ = true;
  }

  void read_block(const std::vector<Word>& words) {
    block_ = Block::kDefault;  // after a faulty heading its rules are still read, for their faults
    app_.clear();
    has_block_ = true;
    const Word& first = words.front();
    const Word& last = words.back();
    if (!last.text.ends_with(']') || words.size() > 2) {
      return fail(first.column, "a block begins with a line `[NAME]` or `[app NAME]`");
    }
    const std::size_t end = words.size() == 1 ? first.text.size() - 1 : first.text.size();
    const std::string_view name = first.text.substr(1, end - 1);
    const auto known = std::ranges::find(kBlockNames, name);
    if (known == kBlockNames.end()) {
      return fail(first.column + 1, "unknown block " + quoted(name), nearest_of(name, kBlockNames));
    }
    block_ = static_cast<Block>(known - kBlockNames.begin());
    if ((block_ == Block::kApp) != (words.size() == 2)) {
      const bool is_app = block_ == Block::kApp;
      return fail(first.column, is_app ? "an application's block names it: `[app NAME]`"
                                       : quoted(name) + " takes no name after it");
    }
    if (block_ == Block::kApp) {
      app_ = last.text.substr(0, last.text.size() - 1);
      if (!is_plain_name(app_)) {
        fail(last.column, "an application is called by a name of a-z, 0-9, `.`, `_` and `-`");
      }
    }
    if (block_ == Block::kSystem && file_.owner == Owner::kPerson) {
      fail(first.column, "a person's own rules reach only below `~`, so they have no [system]");
    }
  }

  void read_rule(const std::vector<Word>& words) {
    if (!has_block_) {
      has_block_ = true;
      fail(words[0].column, "a rule stands before the first block; begin with `[default]`");
    }
    const std::size_t faults_before = parsed_.faults.size();
    Rule rule;
    rule.file = file_.name;
    rule.line = line_;
    rule.app = app_;
    rule.is_system = block_ == Block::kSystem;
    rule.is_person = file_.owner == Owner::kPerson;
    read_action(words[0], rule);
    if (words.size() < 2) return fail(words[0].column, "the pattern is missing");
    rule.column = words[1].column;
    read_patterns(words[1], rule);
    const auto report = [this](std::size_t column, std::string message, std::string_view nearest) {
      fail(column, std::move(message), nearest);
    };
    read_keys(std::span(words).subspan(2), rule, report);
    if (parsed_.faults.size() == faults_before) check_sense(rule);
    if (parsed_.faults.size() != faults_before || stopped_) return;
    for (const Word& word : words) {
      if (!rule.text.empty()) rule.text += ' ';
      const std::string_view quote = word.is_quoted ? "\"" : "";
      rule.text.append(quote).append(word.text).append(quote);
    }
    parsed_.rules.push_back(std::move(rule));
  }

  void read_action(const Word& word, Rule& rule) {
    const auto known =
        std::ranges::find(kActions, word.text, [](Action action) { return to_text(action); });
    if (known == kActions.end() || word.is_quoted) {
      std::array<std::string_view, kActions.size()> names;
      std::ranges::transform(kActions, names.begin(),
                             [](Action action) { return to_text(action); });
      return fail(word.column, "unknown action " + quoted(word.text), nearest_of(word.text, names));
    }
    rule.action = *known;
    if (block_ == Block::kNever && does_travel(rule.action)) {
      fail(word.column, "a [never] block holds what does not travel: local, discard and deny");
    }
  }

  void read_patterns(const Word& word, Rule& rule) {
    ParsedPattern parsed = parse_pattern(word.text);
    if (const auto* fault = std::get_if<PatternFault>(&parsed)) {
      return fail(word.column + fault->offset, fault->message);
    }
    rule.patterns = std::get<std::vector<Pattern>>(std::move(parsed));
    for (const Pattern& pattern : rule.patterns) {
      components_ += pattern.components.size();
      if (!check_base(pattern, word.column)) return;
    }
    if (components_ > RuleFileLimits::kComponentsMax) {
      fail(word.column, "with its braces multiplied out the file names more than " +
                            std::to_string(RuleFileLimits::kComponentsMax) + " directories");
      stopped_ = true;
    }
  }

  bool check_base(const Pattern& pattern, std::size_t column) {
    if (pattern.base == Base::kVariable) {
      const auto known = known_variables();
      if (std::ranges::find(known, pattern.variable) == known.end()) {
        fail(column, "unknown variable " + quoted("$" + pattern.variable),
             nearest_of(pattern.variable, known));
        return false;
      }
    }
    const bool is_outside = pattern.base == Base::kRoot || pattern.variable == "XDG_RUNTIME_DIR";
    if (is_outside && file_.owner == Owner::kPerson) {
      fail(column, "a person's own rules reach only below `~`, and " + quoted(pattern.text()) +
                       " is not there");
      return false;
    }
    return true;
  }

  /// What each word alone does not show.
  void check_sense(Rule& rule) {
    const bool has_travel_keys = !rule.group.empty() || rule.merge != Merge::kByPolicy ||
                                 rule.prefer != Prefer::kByPolicy ||
                                 rule.quiesce != Quiesce::kByPolicy || rule.bytes_max != 0 ||
                                 rule.prio != Attributes::kPrioDefault;
    if (!does_travel(rule.action) && has_travel_keys) {
      return fail(rule.column, "what is " + quoted(to_text(rule.action)) +
                                   " does not travel, so group, merge, prefer, prio, max and "
                                   "quiesce mean nothing");
    }
    if (rule.action == Action::kImage &&
        rule.data_class.value_or(DataClass::kApp) != DataClass::kApp) {
      return fail(rule.column, "`image` is always class=app");
    }
    if (rule.when && rule.when->exists && !check_base(*rule.when->exists, rule.column)) return;
    set_group_roots(rule);
  }

  void set_group_roots(Rule& rule) {
    for (Pattern& pattern : rule.patterns) {
      if (rule.group.empty()) {
        if (!pattern.group_root) continue;
        return fail(rule.column, "`//` marks the root of a group, so `group=NAME` is missing");
      }
      if (pattern.group_root) continue;
      if (!has_plain_root(pattern)) {
        return fail(rule.column, "mark by `//` in the pattern where the group begins");
      }
      const std::size_t below = std::ranges::any_of(pattern.components, is_wild) ? 2 : 1;
      if (pattern.components.size() < below + (pattern.base == Base::kRoot ? 1 : 0)) {
        return fail(rule.column, "a group needs a directory of its own");
      }
      pattern.group_root = pattern.components.size() - below;
    }
    if (rule.group.empty()) return;
    const std::string_view block =
        app_.empty() ? kBlockNames[static_cast<std::size_t>(block_)] : app_;
    rule.group = std::string(block) + "/" + rule.group;
  }

  void fail(std::size_t column, std::string message, std::string_view nearest = {}) {
    if (parsed_.faults.size() >= RuleFileLimits::kFaultsMax) return;
    parsed_.faults.push_back({.file = file_.name,
                              .line = column == 0 ? 0 : line_,
                              .column = column,
                              .message = std::move(message),
                              .suggestion = std::string(nearest)});
    if (parsed_.faults.size() >= RuleFileLimits::kFaultsMax) stopped_ = true;
  }

  const RuleFile& file_;
  ParsedRules parsed_;
  std::size_t line_ = 0;
  std::size_t components_ = 0;
  bool has_header_ = false;
  bool has_block_ = false;
  bool stopped_ = false;
  Block block_ = Block::kDefault;
  std::string app_;
};

}  // namespace

ParsedRules parse_rules(const RuleFile& file) {
  return FileParser(file).run();
}

}  // namespace satchel::policies
