#include "policies/rule_keys.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <limits>

#include "base/path.h"

namespace satchel::policies {
namespace {

/// The value of a key into the rule; false if it is none of what the key takes.
using ReadValue = bool (*)(std::string_view value, Rule& rule);

template <typename Value>
struct Choice {
  std::string_view text;
  Value value;
};
template <typename Value, std::size_t kCount>
bool choose(std::string_view text, const std::array<Choice<Value>, kCount>& choices, auto& into) {
  for (const Choice<Value>& choice : choices) {
    if (choice.text != text) continue;
    into = choice.value;
    return true;
  }
  return false;
}

bool read_class(std::string_view value, Rule& rule) {
  static constexpr std::array kClasses = {Choice<DataClass>{"data", DataClass::kData},
                                          Choice<DataClass>{"sysdata", DataClass::kSysdata},
                                          Choice<DataClass>{"app", DataClass::kApp}};
  return choose(value, kClasses, rule.data_class);
}

bool read_group(std::string_view value, Rule& rule) {
  rule.group = value;
  return is_plain_name(value);
}

bool read_merge(std::string_view value, Rule& rule) {
  static constexpr std::array kMerges = {
      Choice<Merge>{"file", Merge::kFile},
      Choice<Merge>{"text", Merge::kText},
      Choice<Merge>{"ini", Merge::kIni},
      Choice<Merge>{"json", Merge::kJson},
      Choice<Merge>{"lines-union", Merge::kLinesUnion},
      Choice<Merge>{"sqlite", Merge::kSqlite},
      Choice<Merge>{"keyring", Merge::kKeyring},
      Choice<Merge>{"ours", Merge::kOurs},
      Choice<Merge>{"theirs", Merge::kTheirs},
  };
  return choose(value, kMerges, rule.merge);
}

bool read_prefer(std::string_view value, Rule& rule) {
  static constexpr std::array kPreferences = {Choice<Prefer>{"client", Prefer::kClient},
                                              Choice<Prefer>{"server", Prefer::kServer}};
  return choose(value, kPreferences, rule.prefer);
}

bool read_secret(std::string_view value, Rule& rule) {
  rule.is_secret = value == "yes";
  return value == "yes" || value == "no";
}

bool read_prio(std::string_view value, Rule& rule) {
  if (value.size() != 1 || value[0] < '0' || value[0] > '9') return false;
  rule.prio = static_cast<std::uint8_t>(value[0] - '0');
  return true;
}

bool read_max(std::string_view value, Rule& rule) {
  static constexpr std::string_view kUnits = "KMGT";
  unsigned shift = 0;
  if (!value.empty()) {
    const std::size_t unit = kUnits.find(value.back());
    if (unit != std::string_view::npos) {
      shift = static_cast<unsigned>(unit + 1) * 10;
      value.remove_suffix(1);
    }
  }
  std::uint64_t count = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (failure != std::errc{} || end != value.data() + value.size() || count == 0) return false;
  if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) >> shift) {
    return false;
  }
  rule.bytes_max = count << shift;
  return true;
}

bool read_quiesce(std::string_view value, Rule& rule) {
  static constexpr std::string_view kProcess = "process:";
  if (value == "none" || value == "sqlite") {
    rule.quiesce = value == "none" ? Quiesce::kNone : Quiesce::kSqlite;
    return true;
  }
  if (!value.starts_with(kProcess)) return false;
  rule.quiesce = Quiesce::kProcess;
  rule.quiesce_process = value.substr(kProcess.size());
  return value.find('\\') == std::string_view::npos &&
         Name::parse(rule.quiesce_process).has_value();
}

bool read_when(std::string_view value, Rule& rule) {
  static constexpr std::string_view kExists = "exists:";
  static constexpr std::string_view kDesktop = "desktop:";
  Condition condition;
  if (value.starts_with(kDesktop)) {
    condition.desktop = value.substr(kDesktop.size());
    rule.when = condition;
    return is_plain_name(condition.desktop);
  }
  if (!value.starts_with(kExists)) return false;
  ParsedPattern parsed = parse_pattern(value.substr(kExists.size()));
  auto* patterns = std::get_if<std::vector<Pattern>>(&parsed);
  if (patterns == nullptr || patterns->size() != 1) return false;
  condition.exists = std::move(patterns->front());
  rule.when = condition;
  return !condition.exists->group_root &&
         std::ranges::all_of(condition.exists->components, [](const Component& component) {
           return std::holds_alternative<std::string>(component);
         });
}

struct Key {
  std::string_view name;
  ReadValue read;
  std::string_view takes;
};
constexpr std::array kKeys = {
    Key{"class", read_class, "data, sysdata or app"},
    Key{"group", read_group, "a name of a-z, 0-9, `.`, `_` and `-`"},
    Key{"merge", read_merge, "file, text, ini, json, lines-union, sqlite, keyring, ours or theirs"},
    Key{"prefer", read_prefer, "client or server"},
    Key{"secret", read_secret, "yes or no"},
    Key{"prio", read_prio, "a digit from 0 to 9"},
    Key{"max", read_max, "a size such as 500K, 20M or 2G"},
    Key{"quiesce", read_quiesce, "process:NAME,…, sqlite or none"},
    Key{"when", read_when, "exists:PATH, with a path without wildcards, or desktop:NAME"},
};

std::string_view nearest_key(std::string_view name) {
  std::array<std::string_view, kKeys.size()> names;
  std::ranges::transform(kKeys, names.begin(), &Key::name);
  return nearest_of(name, names);
}

}  // namespace

bool read_keys(std::span<const Word> words, Rule& rule, const ReportFault& report) {
  bool is_good = true;
  const auto fail = [&](std::size_t column, std::string message, std::string_view nearest = {}) {
    report(column, std::move(message), nearest);
    is_good = false;
  };
  std::bitset<kKeys.size()> seen;
  for (const Word& word : words) {
    const std::size_t equals = word.text.find('=');
    if (word.is_quoted || equals == std::string_view::npos) {
      fail(word.column, "after the pattern stand words key=value, not " + quoted(word.text));
      continue;
    }
    const std::string_view name = word.text.substr(0, equals);
    const auto key = std::ranges::find(kKeys, name, &Key::name);
    if (key == kKeys.end()) {
      fail(word.column, "unknown key " + quoted(name), nearest_key(name));
      continue;
    }
    const auto number = static_cast<std::size_t>(key - kKeys.begin());
    if (seen.test(number)) fail(word.column, quoted(name) + " stands here twice");
    seen.set(number);
    if (!key->read(word.text.substr(equals + 1), rule)) {
      fail(word.column + equals + 1, quoted(name) + " takes " + std::string(key->takes));
    }
  }
  return is_good;
}

bool is_plain_name(std::string_view text) {
  static constexpr std::size_t kBytesMax = 63;
  const auto is_letter_or_digit = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
  };
  return !text.empty() && text.size() <= kBytesMax && is_letter_or_digit(text.front()) &&
         std::ranges::all_of(text, [&](char byte) {
           return is_letter_or_digit(byte) || byte == '.' || byte == '_' || byte == '-';
         });
}

std::string quoted(std::string_view text) {
  static constexpr std::size_t kShownBytesMax = 60;
  std::string shown = escape_for_display(text.substr(0, kShownBytesMax));
  if (text.size() > kShownBytesMax) shown += "…";
  return "`" + shown + "`";
}

}  // namespace satchel::policies
