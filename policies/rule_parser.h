// Reading a rule file: text to rules, with every mistake at its place. The language is
// satchel-rules(5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policies/pattern.h"
#include "policies/rule.h"
#include "policies/rule_fault.h"

namespace satchel::policies {

/// Who a rule file comes from, and so how far it reaches.
enum class Owner : std::uint8_t {
  kShipped,  ///< part of this program or of an application's package
  kSite,     ///< the administrator
  kPerson,   ///< reaches below `~` only
};

/// A rule file as it was found. A value.
struct RuleFile {
  std::string name{};  ///< for origins and faults; its last part orders and replaces files
  Owner owner = Owner::kShipped;
  std::string text{};
};

/// `when=`: the rule counts only where this holds.
struct Condition {
  std::optional<Pattern> exists{};  ///< literal names only
  std::string desktop{};            ///< if not `exists`
  friend bool operator==(const Condition&, const Condition&) = default;
};

/// One line ACTION PATTERN [key=value …]. A value.
struct Rule {
  Action action = Action::kSync;
  std::optional<DataClass> data_class{};
  std::vector<Pattern> patterns{};  ///< one for each alternative of the braces
  std::string app{};
  std::string group{};  ///< "BLOCK/NAME"; then each pattern has a group root
  Merge merge = Merge::kByPolicy;
  Prefer prefer = Prefer::kByPolicy;
  Quiesce quiesce = Quiesce::kByPolicy;
  std::string quiesce_process{};
  bool is_secret = false;
  std::uint8_t prio = Attributes::kPrioDefault;
  std::uint64_t bytes_max = 0;
  std::optional<Condition> when{};

  bool is_system = false;  ///< of a [system] block
  bool is_person = false;  ///< of a person's file
  std::string text{};      ///< as written, without comment
  std::string file{};
  std::size_t line = 0;
  std::size_t column = 0;  ///< of the pattern
  friend bool operator==(const Rule&, const Rule&) = default;
};

struct ParsedRules {
  std::vector<Rule> rules{};  ///< without those that have faults
  std::vector<RuleFault> faults{};
};

struct RuleFileLimits {
  static constexpr std::size_t kFileBytesMax = 1U << 20U;
  static constexpr std::size_t kLineBytesMax = 8192;
  static constexpr std::size_t kComponentsMax =
      200'000;  ///< of all patterns, braces multiplied out
  static constexpr std::size_t kFaultsMax = 20;
};

/// Goes on after a mistake and stops at kFaultsMax. An empty text is a file without rules.
ParsedRules parse_rules(const RuleFile& file);

}  // namespace satchel::policies
