#include "policies/rule_set.h"

#include <algorithm>

#include "policies/rule_resolver.h"

namespace satchel::policies {
namespace {

/// By this every path falls somewhere. Rule 0 must match every path.
constexpr std::string_view kLastResort = R"(satchel-rules 1
[default]
sync  /**  class=sysdata
image /{usr,opt,bin,sbin,lib*}{,/**}
image /var/lib/{dpkg{,/**},apt/extended_states}
)";
constexpr std::string_view kBuiltIn = "built-in";

struct ReadRules {
  std::vector<Rule> rules;
  std::vector<RuleFault> faults;
};

ReadRules read_rules(std::span<const RuleFile> files, const ViewOptions& options) {
  ReadRules read;
  const RuleFile last_resort{.name = std::string(kBuiltIn), .text = std::string(kLastResort)};
  ParsedRules parsed = parse_rules(last_resort);
  SATCHEL_ASSERT(parsed.faults.empty());
  read.rules = std::move(parsed.rules);
  for (const RuleFile& file : files) {
    parsed = parse_rules(file);
    std::ranges::move(parsed.rules, std::back_inserter(read.rules));
    std::ranges::move(parsed.faults, std::back_inserter(read.faults));
  }
  ResolvedRules resolved = resolve_rules(std::move(read.rules), options);
  read.rules = std::move(resolved.rules);
  std::ranges::move(resolved.faults, std::back_inserter(read.faults));
  return read;
}

/// What `rule` says of each path that it decides. The texts are those of `rule`.
Decision decision_of(const Rule& rule, std::string_view origin) {
  return {.action = rule.action,
          .rule = rule.text,
          .origin = origin,
          .attributes = {.app = rule.app,
                         .group = rule.group,
                         .merge = rule.merge,
                         .prefer = rule.prefer,
                         .quiesce = rule.quiesce,
                         .quiesce_process = rule.quiesce_process,
                         .is_secret = rule.is_secret,
                         .prio = rule.prio,
                         .bytes_max = rule.bytes_max}};
}

std::string origin_of(const Rule& rule) {
  if (rule.file == kBuiltIn) return rule.file;
  return rule.file + ":" + std::to_string(rule.line);
}

RuleGraph graph_of(std::span<const Rule> rules) {
  RuleGraph graph;
  for (RuleNumber number = 0; number < rules.size(); ++number) {
    const bool travels = Decision{.action = rules[number].action}.travels();
    for (const Pattern& pattern : rules[number].patterns) graph.add(pattern, number, travels);
  }
  graph.freeze();
  return graph;
}

std::vector<RuleTraits> traits_of(std::span<const Rule> rules) {
  std::vector<RuleTraits> traits;
  for (const Rule& rule : rules) {
    RuleTraits of_rule{.data_class = rule.data_class,
                       .travels = Decision{.action = rule.action}.travels()};
    if (rule.action == Action::kImage) of_rule.data_class = DataClass::kApp;
    traits.push_back(of_rule);
  }
  return traits;
}

}  // namespace

struct RuleSet::Compiled {
  explicit Compiled(std::vector<Rule> resolved)
      : rules(std::move(resolved)),
        canonical(policies::canonical_text(rules)),
        matcher(graph_of(rules), traits_of(rules)) {
    for (const Rule& rule : rules) origins.push_back(origin_of(rule));
    for (std::size_t i = 0; i < rules.size(); ++i) {
      decisions.push_back(policies::decision_of(rules[i], origins[i]));
    }
  }

  std::vector<Rule> rules;
  std::string canonical;
  std::vector<std::string> origins;
  std::vector<Decision> decisions;  ///< by rule; class and group root depend on the path
  Matcher matcher;
};

Result<RuleSet> RuleSet::make(std::span<const RuleFile> files, const ViewOptions& options) {
  ReadRules read = read_rules(files, options);
  if (!read.faults.empty()) return error_of(read.faults);
  return RuleSet(std::make_unique<const Compiled>(std::move(read.rules)));
}

RuleSet::RuleSet(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;

Decision RuleSet::decide(const RelativePath& path, PathKind kind) const {
  return decision_of(walk(path.text()), kind);
}

DirectoryState RuleSet::root() const {
  return DirectoryState(compiled_->matcher.root());
}

DirectoryState RuleSet::descend(const DirectoryState& directory, const Name& name) const {
  DirectoryState below = directory;
  below.state_ = compiled_->matcher.step(*directory.state_, name.text());
  below.enter(*below.state_);
  return below;
}

DirectoryState RuleSet::descend(const RelativePath& directory) const {
  return walk(directory.text());
}

Decision RuleSet::decide(const DirectoryState& directory, const Name& name, PathKind kind) const {
  return decision_of(descend(directory, name), kind);
}

Action RuleSet::action(const DirectoryState& directory, const Name& name, PathKind kind) const {
  return compiled_->rules[compiled_->matcher.deciding_rule(*directory.state_, name.text(), kind)]
      .action;
}

Below RuleSet::below(const DirectoryState& directory) const {
  return directory.state_->below;
}

std::vector<RuleLine> RuleSet::lines() const {
  std::vector<RuleLine> lines;
  for (std::size_t i = 0; i < compiled_->rules.size(); ++i) {
    const Rule& rule = compiled_->rules[i];
    lines.push_back({.text = rule.text, .origin = compiled_->origins[i], .app = rule.app});
  }
  return lines;
}

const std::string& RuleSet::canonical_text() const {
  return compiled_->canonical;
}

DirectoryState RuleSet::walk(std::string_view path) const {
  DirectoryState at = root();
  at.state_ = compiled_->matcher.follow(path, [&](const MatchState& state) { at.enter(state); });
  while (!path.empty()) {
    at.state_ = compiled_->matcher.step(*at.state_, take_name(path));
    at.enter(*at.state_);
  }
  return at;
}

Decision RuleSet::decision_of(const DirectoryState& at, PathKind kind) const {
  const Outcome& outcome = at.state_->outcomes[static_cast<std::size_t>(kind)];
  Decision decision = compiled_->decisions[outcome.rule];
  decision.data_class = outcome.data_class;
  decision.group_root_names = at.group_root_names(outcome.group_root);
  return decision;
}

void DirectoryState::enter(const MatchState& state) {
  ++names_;
  for (const std::uint32_t mark : state.marks) {
    if (std::ranges::find(marks_, mark, &std::pair<std::uint32_t, std::size_t>::first) ==
        marks_.end()) {
      marks_.emplace_back(mark, names_);
    }
  }
}

std::size_t DirectoryState::group_root_names(const GroupRoot& root) const {
  if (root == GroupRoot{}) return 0;
  std::size_t fewest = root.names;
  for (const auto& [mark, names] : marks_) {
    if (mark == root.mark) fewest = std::min(fewest, names);
  }
  return fewest;
}

std::vector<RuleFault> check_rules(std::span<const RuleFile> files, const ViewOptions& options) {
  return read_rules(files, options).faults;
}

}  // namespace satchel::policies
