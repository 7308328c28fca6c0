#include "policies/name_patterns.h"

#include <algorithm>
#include <functional>
#include <ranges>

namespace satchel::policies {
namespace {

std::uint64_t hash_of(std::string_view name) {
  return std::hash<std::string_view>{}(name);
}

}  // namespace

NamePatternId NamePatterns::add_name(std::string_view name) {
  if (const std::uint32_t known = find_literal(name); known != NumberTable::kNone) {
    return literals_[known].patterns.front();
  }
  literal_numbers_.add(hash_of(name), static_cast<std::uint32_t>(literals_.size()));
  literals_.push_back({.name = std::string(name), .patterns = {next_id_}});
  return next_id_++;
}

NamePatternId NamePatterns::add_glob(const Glob& glob) {
  const auto [known, is_new] = glob_ids_.try_emplace(glob.text(), next_id_);
  if (!is_new) return known->second;
  const auto number = static_cast<std::uint32_t>(globs_.size());
  if (glob.beginning().empty() && glob.end().empty()) {
    others_.push_back(number);
  } else if (glob.beginning().size() >= glob.end().size()) {
    by_beginning_.add(glob.beginning(), number);
  } else {
    by_end_.add(std::views::reverse(glob.end()), number);
  }
  globs_.push_back({glob, next_id_});
  return next_id_++;
}

void NamePatterns::freeze() {
  for (Literal& literal : literals_) {
    find_globs(literal.name, literal.patterns);
    std::ranges::sort(literal.patterns);
  }
}

std::uint32_t NamePatterns::find_literal(std::string_view name) const {
  return literal_numbers_.find(
      hash_of(name), [&](std::uint32_t number) { return literals_[number].name == name; });
}

NamePatterns::Match NamePatterns::match(std::string_view name,
                                        std::vector<NamePatternId>& found) const {
  if (const std::uint32_t literal = find_literal(name); literal != NumberTable::kNone) {
    return {.literal = literal, .patterns = literals_[literal].patterns};
  }
  found.clear();
  find_globs(name, found);
  std::ranges::sort(found);
  return {.patterns = found};
}

void NamePatterns::find_globs(std::string_view name, std::vector<NamePatternId>& found) const {
  const auto try_glob = [&](std::uint32_t number) {
    const NumberedGlob& candidate = globs_[number];
    if (candidate.glob.matches(name)) found.push_back(candidate.id);
  };
  by_beginning_.each_beginning_of(name, try_glob);
  by_end_.each_beginning_of(std::views::reverse(name), try_glob);
  std::ranges::for_each(others_, try_glob);
}

}  // namespace satchel::policies
