#include "policies/rule_resolver.h"

#include <algorithm>
#include <utility>

#include "policies/rule_keys.h"

namespace satchel::policies {
namespace {

/// `pattern` below `place` in place of its base.
Pattern place_at(const Pattern& pattern, const RelativePath& place) {
  Pattern placed = pattern;
  placed.base = Base::kRoot;
  placed.variable.clear();
  std::vector<Component> components;
  for (const Name& name : place.names()) components.emplace_back(name.text());
  if (placed.group_root) *placed.group_root += components.size();
  components.insert(components.end(), pattern.components.begin(), pattern.components.end());
  placed.components = std::move(components);
  return placed;
}

/// The path that a pattern without wildcards is.
RelativePath path_of(const Pattern& pattern) {
  RelativePath path;
  for (const Component& component : pattern.components) {
    path = path / Name::checked(std::get<std::string>(component));
  }
  return path;
}

class Resolver {
 public:
  explicit Resolver(const ViewOptions& options) : options_(options) {}

  void add(Rule rule) {
    if (rule.is_system && !options_.is_whole_system) return;
    if (rule.when && !holds(*rule.when)) return;
    std::vector<Pattern> placed;
    for (const Pattern& pattern : rule.patterns) {
      for (Pattern& at : place(pattern, &rule)) {
        components_ += at.components.size();
        placed.push_back(std::move(at));
      }
    }
    if (components_ > ResolvedRules::kComponentsMax) {
      if (!is_full_)
        fail(rule, "all rules together name more than " +
                       std::to_string(ResolvedRules::kComponentsMax) + " directories");
      is_full_ = true;
      return;
    }
    if (placed.empty()) return;
    rule.patterns = std::move(placed);
    rule.when.reset();
    resolved_.rules.push_back(std::move(rule));
  }

  ResolvedRules take() { return std::move(resolved_); }

 private:
  /// Once for each home. `rule` is told of what leads out of a home; null: nobody is.
  std::vector<Pattern> place(const Pattern& pattern, const Rule* rule) {
    if (pattern.base == Base::kRoot) return {pattern};
    std::vector<Pattern> placed;
    for (const Home& home : options_.homes) {
      if (rule != nullptr && rule->is_person && !home.is_own) continue;
      if (pattern.base == Base::kHome) {
        placed.push_back(place_at(pattern, home.path));
        continue;
      }
      const std::optional<RelativePath> place = place_of(home, pattern.variable);
      if (!place) continue;
      if (rule != nullptr && rule->is_person && !place->is_within(home.path)) {
        fail(*rule, "a person's own rules reach only below `~`, and here " +
                        quoted("$" + pattern.variable) + " is " + quoted(place->absolute()));
        continue;
      }
      placed.push_back(place_at(pattern, *place));
    }
    return placed;
  }

  bool holds(const Condition& condition) {
    if (!condition.exists) {
      return std::ranges::find(options_.desktops, condition.desktop) != options_.desktops.end();
    }
    return options_.exists != nullptr &&
           std::ranges::any_of(place(*condition.exists, nullptr), [&](const Pattern& pattern) {
             return options_.exists(path_of(pattern));
           });
  }

  void fail(const Rule& rule, std::string message) {
    if (resolved_.faults.size() >= RuleFileLimits::kFaultsMax) return;
    resolved_.faults.push_back({.file = rule.file,
                                .line = rule.line,
                                .column = rule.column,
                                .message = std::move(message)});
  }

  const ViewOptions& options_;
  ResolvedRules resolved_;
  std::size_t components_ = 0;
  bool is_full_ = false;
};

std::string keys_text(const Rule& rule) {
  std::string text;
  const auto add = [&](std::string_view key, std::string_view value) {
    text.append(" ").append(key).append("=").append(value);
  };
  if (rule.data_class) add("class", to_text(*rule.data_class));
  if (!rule.group.empty()) add("group", rule.group);
  if (rule.merge != Merge::kByPolicy) add("merge", to_text(rule.merge));
  if (rule.prefer != Prefer::kByPolicy) add("prefer", to_text(rule.prefer));
  if (rule.is_secret) add("secret", "yes");
  if (rule.prio != Attributes::kPrioDefault) add("prio", std::to_string(rule.prio));
  if (rule.bytes_max != 0) add("max", std::to_string(rule.bytes_max));
  if (rule.quiesce == Quiesce::kNone) add("quiesce", "none");
  if (rule.quiesce == Quiesce::kSqlite) add("quiesce", "sqlite");
  if (rule.quiesce == Quiesce::kProcess) add("quiesce", "process:" + rule.quiesce_process);
  return text;
}

}  // namespace

ResolvedRules resolve_rules(std::vector<Rule> rules, const ViewOptions& options) {
  Resolver resolver(options);
  for (Rule& rule : rules) resolver.add(std::move(rule));
  return resolver.take();
}

std::string canonical_text(std::span<const Rule> rules) {
  std::string text;
  for (const Rule& rule : rules) {
    const std::string keys = keys_text(rule);
    for (const Pattern& pattern : rule.patterns) {
      text.append(to_text(rule.action))
          .append(" ")
          .append(pattern.text())
          .append(keys)
          .append("\n");
    }
  }
  return text;
}

}  // namespace satchel::policies
