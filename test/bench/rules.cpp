// Does a decision cost more when there are more rules, and how long do the shipped ones take to
// load?
//
//   bench_rules [ROUNDS]
//
// Compiles 10 and 10,000 rules of the kinds that people write (applications' settings, caches in
// them, names at any depth, globs of names) and asks both for the same typical paths: warm, cold
// (each path for the first time), by steps from the directory's state, and as the view asks for the
// second file in a directory (by step, the action alone). Prints medians.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "policies/default_rules.h"
#include "policies/rule_set.h"

namespace {

using namespace satchel;            // NOLINT(google-build-using-namespace): a program of one file
using namespace satchel::policies;  // NOLINT(google-build-using-namespace)

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

RelativePath path_of(const std::string& text) {
  Result<RelativePath> path = RelativePath::parse(text);
  SATCHEL_ASSERT(path.has_value());
  return *std::move(path);
}

/// `count` rules; the first ten and the last ten thousand are of the same five kinds.
RuleFile make_rules(int count) {
  std::string text = "satchel-rules 1\n[default]\n";
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i / 5);
    switch (i % 5) {
      case 0:
        text += "sync ~/.config/app" + number + "/** class=sysdata\n";
        break;
      case 1:
        text += "local ~/.config/app" + number + "/{Cache,Code\\ Cache,log?}/**\n";
        break;
      case 2:
        text += "local **/.build" + number + "/**\n";
        break;
      case 3:
        text += "discard ~/.config/**/*.lock" + number + "\n";
        break;
      default:
        text += "sync ~/.local/share/tool" + number + "-*/** class=data\n";
    }
  }
  return {.name = "bench.rules", .text = std::move(text)};
}

std::vector<RelativePath> make_paths() {
  std::vector<RelativePath> paths;
  for (int i = 0; i < 200; ++i) {
    const std::string number = std::to_string(i);
    const std::string app = std::to_string(i % 2);
    paths.push_back(path_of("home/ada/Documents/year" + number + "/letters/page.odt"));
    paths.push_back(path_of("home/ada/.config/app" + app + "/Default/storage/" + number + ".db"));
    paths.push_back(path_of("home/ada/.config/app" + app + "/Cache/entries/" + number));
    paths.push_back(path_of("home/ada/src/project" + number + "/.build1/obj/main.o"));
    paths.push_back(path_of("usr/share/doc/package" + number + "/examples/readme.gz"));
    paths.push_back(path_of("home/ada/.local/share/tool1-x/items/" + number + ".json"));
  }
  return paths;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

RuleSet load(std::span<const RuleFile> files) {
  const ViewOptions options{.homes = {{.path = path_of("home/ada")}}};
  Result<RuleSet> rules = RuleSet::make(files, options);
  if (!rules) {
    (void)std::fprintf(stderr, "%s\n", rules.error().message.c_str());
    std::exit(1);
  }
  return *std::move(rules);
}

/// One rule set under measurement; its rounds take turns with those of others, so that what else
/// the machine does falls on all of them.
class Bench {
 public:
  Bench(const char* what, std::span<const RuleFile> files)
      : what_(what), files_(files), rules_(load(files)) {
    for (const RelativePath& path : paths_) {
      parents_.push_back(rules_.descend(path.parent()));
      names_.push_back(path.name());
    }
    decide_all(rules_);
  }

  void load_round() {
    const auto start = Clock::now();
    const RuleSet rules = load(files_);
    loads_ms_.push_back(seconds_since(start) * 1e3);
    colds_ns_.push_back(time_ns([&] { decide_all(rules); }));
  }
  void round() {
    warms_ns_.push_back(time_ns([&] { decide_all(rules_); }));
    steps_ns_.push_back(time_ns([&] {
      for (std::size_t i = 0; i < paths_.size(); ++i) {
        count(rules_.decide(parents_[i], names_[i], PathKind::kOther));
      }
    }));
    actions_ns_.push_back(time_ns([&] {
      for (std::size_t i = 0; i < paths_.size(); ++i) {
        count({.action = rules_.action(parents_[i], names_[i], PathKind::kOther)});
      }
    }));
  }
  void print() const {
    SATCHEL_ASSERT(travelling_ > 0);
    (void)std::printf("%-14s %9.2f %12.0f %12.0f %12.0f %12.0f\n", what_, median(loads_ms_),
                      median(colds_ns_), warm_ns(), step_ns(), action_ns());
  }
  [[nodiscard]] double warm_ns() const { return median(warms_ns_); }
  [[nodiscard]] double step_ns() const { return median(steps_ns_); }
  [[nodiscard]] double action_ns() const { return median(actions_ns_); }

 private:
  /// Nanoseconds for each path.
  double time_ns(const std::function<void()>& decide) const {
    const auto start = Clock::now();
    decide();
    return seconds_since(start) * 1e9 / static_cast<double>(paths_.size());
  }
  void decide_all(const RuleSet& rules) {
    for (const RelativePath& path : paths_) count(rules.decide(path, PathKind::kOther));
  }
  void count(const Decision& decision) { travelling_ += decision.travels() ? 1U : 0U; }

  const char* what_;
  std::span<const RuleFile> files_;
  std::vector<RelativePath> paths_ = make_paths();
  RuleSet rules_;
  std::vector<DirectoryState> parents_;
  std::vector<Name> names_;
  std::vector<double> loads_ms_, colds_ns_, warms_ns_, steps_ns_, actions_ns_;
  std::size_t travelling_ = 0;  ///< so that no decision is optimized away
};

}  // namespace

int main(int argument_count, char** arguments) {
  static constexpr int kLoadRounds = 7;
  const int rounds = argument_count > 1 ? std::atoi(arguments[1]) : 201;
  const RuleFile few_rules = make_rules(10);
  const RuleFile many_rules = make_rules(10'000);
  Bench few("10", std::span(&few_rules, 1));
  Bench many("10,000", std::span(&many_rules, 1));
  Bench shipped("shipped", default_rule_files());
  for (int i = 0; i < kLoadRounds; ++i) {
    for (Bench* bench : {&few, &many, &shipped}) bench->load_round();
  }
  for (int i = 0; i < rounds; ++i) {
    for (Bench* bench : {&few, &many, &shipped}) bench->round();
  }
  (void)std::printf("%-14s %9s %12s %12s %12s %12s\n", "rules", "load ms", "cold ns", "warm ns",
                    "by step ns", "action ns");
  for (const Bench* bench : {&few, &many, &shipped}) bench->print();
  (void)std::printf("ratio of 10,000 rules to 10: warm %.2f, by step %.2f, action %.2f\n",
                    many.warm_ns() / few.warm_ns(), many.step_ns() / few.step_ns(),
                    many.action_ns() / few.action_ns());
  return 0;
}
