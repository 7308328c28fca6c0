// The compiled matcher against the naive one, on random rules and paths.
#include "policies/matcher.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "policies/rule_set.h"
#include "test/support/seeded_random.h"
#include "test/unit/policies/naive_rules.h"

namespace satchel::policies {
namespace {

using test::NaiveAnswer;
using test::NaiveRules;
using test::SeededRandom;

constexpr std::string_view kLastResort[] = {
    "sync /** class=sysdata",
    "image /{usr,opt,bin,sbin,lib*}{,/**}",
    "image /var/lib/{dpkg{,/**},apt/extended_states}",
};

const std::vector<std::string> kNames = {"a", "b", "ab", "ba", ".a", "b.c", "usr", "var", "c"};
const std::vector<std::string> kGlobs = {"*",      "?",   "a*",     "*b",    "*.c",   "[ab]",
                                         "[!a]*",  ".*",  "*b*",    "{a,b}", "??",    "[a-c]*",
                                         "b{,.c}", "*a*", "{*,.a}", "usr",   "{.,b}*"};

std::string one_of(SeededRandom& random, const std::vector<std::string>& choices) {
  return choices[random.below(choices.size())];
}

std::string random_path(SeededRandom& random) {
  std::string path = random.one_in(2) ? "/h/u" : "";
  for (std::uint64_t names = random.below(6); names > 0; --names) {
    path += "/" + one_of(random, kNames);
  }
  return path;
}

std::string random_steps(SeededRandom& random) {
  std::string steps;
  for (std::uint64_t count = random.below(4); count > 0; --count) {
    const std::uint64_t choice = random.below(10);
    steps += "/";
    steps += choice < 2 ? "**" : choice < 6 ? one_of(random, kGlobs) : one_of(random, kNames);
  }
  return steps;
}

/// A rule line without faults.
std::string random_rule(SeededRandom& random) {
  static const std::vector<std::string> kActions = {"sync",    "local", "machine",
                                                    "discard", "deny",  "image"};
  static const std::vector<std::string> kBases = {"~", "**", "", "{~/a,/b}"};
  const std::string action = one_of(random, kActions);
  std::string pattern = one_of(random, kBases) + random_steps(random);
  if (pattern.empty()) pattern = "/**";
  std::string keys;
  const bool travels = action == "sync" || action == "machine";
  if (travels && random.one_in(3)) keys += random.one_in(2) ? " class=data" : " class=app";
  if (travels && random.one_in(4)) {
    if (pattern.ends_with("**")) pattern += "/" + one_of(random, kNames);
    pattern += "//**";
    keys += " group=g";
  } else if (random.one_in(3)) {
    pattern += random.one_in(2) ? "/**" : "/";
  }
  return action + " " + pattern + keys;
}

struct Pair {
  NaiveRules naive{"/h/u"};
  std::vector<std::string> lines;
  std::string text = "satchel-rules 1\n[default]\n";
};

Pair random_rules(SeededRandom& random) {
  Pair pair;
  for (const std::string_view line : kLastResort) pair.naive.add(std::string(line));
  for (std::uint64_t count = random.below(12); count > 0; --count) {
    pair.lines.push_back(random_rule(random));
    pair.naive.add(pair.lines.back());
    pair.text += pair.lines.back() + "\n";
  }
  return pair;
}

RelativePath path_of(const std::string& text) {
  Result<RelativePath> path = RelativePath::parse(text);
  REQUIRE(path);
  return *path;
}

ViewOptions options() {
  return {.homes = {{.path = path_of("/h/u")}}};
}

/// Whether the rule set says of `path` what the naive rules say, by path and by steps.
void compare(const Pair& pair, const RuleSet& rules, const std::string& text, PathKind kind) {
  CAPTURE(text);
  CAPTURE(kind);
  const NaiveAnswer expected = pair.naive.decide(text, kind == PathKind::kDirectory);
  if (expected.action.empty()) return;  // the root, of which no rule needs to speak
  const RelativePath path = path_of(text);
  const Decision decision = rules.decide(path, kind);
  CAPTURE(decision);
  CAPTURE(expected.line);
  CHECK(to_text(decision.action) == expected.action);
  CHECK(to_text(decision.data_class) == expected.data_class);
  CHECK(decision.attributes.group == (expected.group.empty() ? "" : "default/" + expected.group));
  if (!expected.group.empty()) {
    const std::string root = expected.group_root.empty() ? "/" : expected.group_root;
    CHECK(group_root_of(path, decision).absolute() == root);
  }
  if (path.is_root()) return;
  CHECK(rules.decide(rules.descend(path.parent()), path.name(), kind) == decision);
}

/// What is promised of all paths below a directory holds for `path` below each of its parents.
void compare_below(const RuleSet& rules, const std::string& text, PathKind kind) {
  const RelativePath path = path_of(text);
  if (path.is_root()) return;
  const bool travels = rules.decide(path, kind).travels();
  RelativePath parent = path;
  while (!parent.is_root()) {
    parent = parent.parent();
    CAPTURE(parent);
    CAPTURE(path);
    const Below below = rules.below(rules.descend(parent));
    if (below == Below::kAllTravel) CHECK(travels);
    if (below == Below::kNoneTravels) CHECK_FALSE(travels);
  }
}

TEST_SUITE("policies/matcher") {
  TEST_CASE("random rules decide random paths as the naive matcher does") {
    const std::uint64_t seed = test::test_seed(20'240'901);
    MESSAGE("seed ", seed);
    SeededRandom random(seed);
    for (int round = 0; round < 1500; ++round) {
      const Pair pair = random_rules(random);
      CAPTURE(pair.text);
      const RuleFile file{.name = "r.rules", .text = pair.text};
      const Result<RuleSet> rules = RuleSet::make(std::span(&file, 1), options());
      if (!rules) FAIL(rules.error().message);
      for (int path = 0; path < 40; ++path) {
        const PathKind kind = random.one_in(3) ? PathKind::kDirectory : PathKind::kOther;
        const std::string text = random_path(random);
        compare(pair, *rules, text, kind);
        compare_below(*rules, text, kind);
      }
    }
  }
}

}  // namespace
}  // namespace satchel::policies
