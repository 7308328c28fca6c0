#include "policies/rule_advice.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace satchel::policies {
namespace {

/// A file that is written so often, and so long, is sent again and again.
constexpr std::uint32_t kBusyWrites = 20;
constexpr std::uint64_t kBusyBytes = 1U << 20U;
constexpr std::uint64_t kLargeBytes = 256U << 20U;
/// In so many directories, one rule is made for all of them.
constexpr std::size_t kManyDirectories = 3;

char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}

std::string to_lower(std::string_view text) {
  std::string lower;
  for (const char byte : text) lower += to_lower(byte);
  return lower;
}

template <std::size_t kCount>
bool is_one_of(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

template <std::size_t kCount>
bool ends_with_one_of(const std::array<std::string_view, kCount>& ends, std::string_view name) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
}

/// Why nothing in a directory of this name travels; empty: nothing says so.
std::string_view reason_of_directory(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kCacheEnds = {"cache", "caches", "cache2"};
  static constexpr std::array<std::string_view, 3> kCaches = {"cacheddata", "cachestorage",
                                                              "thumbnails"};
  static constexpr std::array<std::string_view, 2> kTemporary = {"tmp", "temp"};
  static constexpr std::array<std::string_view, 6> kReports = {
      "log", "logs", "crashes", "crash reports", "crashpad", "minidumps"};
  const std::string lower = to_lower(name);
  if (ends_with_one_of(kCacheEnds, lower) || is_one_of(kCaches, lower)) return "a cache";
  if (is_one_of(kTemporary, lower)) return "temporary files";
  if (is_one_of(kReports, lower)) return "logs or crash reports";
  return {};
}

bool is_lock(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames = {"lock", ".lock", "lockfile",
                                                             ".parentlock", "singletonlock"};
  static constexpr std::array<std::string_view, 3> kEnds = {".lock", ".lck", ".pid"};
  const std::string lower = to_lower(name);
  return is_one_of(kNames, lower) || ends_with_one_of(kEnds, lower) || lower.starts_with(".#");
}

bool is_letter_or_digit(char byte) {
  return (byte >= '0' && byte <= '9') || (to_lower(byte) >= 'a' && to_lower(byte) <= 'z');
}

/// Only what a pattern can spell.
bool is_spelt(std::string_view text) {
  return std::ranges::none_of(
      text, [](char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F; });
}

/// The bytes of a name, none of which means anything in a pattern.
std::string escape(std::string_view text) {
  static constexpr std::string_view kSpecial = "*?[]{}\\\"#!~$";
  std::string escaped;
  for (const char byte : text) {
    if (kSpecial.find(byte) != std::string_view::npos) escaped += '\\';
    escaped += byte;
  }
  return escaped;
}

std::string quoted_if_needed(std::string pattern) {
  if (pattern.find_first_of(" \t") == std::string::npos) return pattern;
  return '"' + pattern + '"';
}

class Adviser {
 public:
  Adviser(std::span<const SeenPath> seen, const RelativePath& home) : seen_(seen), home_(home) {
    for (const SeenPath& path : seen) paths_.insert(path.path);
  }

  RuleAdvice run() {
    count_lock_places();
    for (const SeenPath& seen : seen_) {
      if (seen.path.is_root()) continue;
      if (seen.is_decided) {
        ++advice_.decided;
      } else if (!is_spelt(seen.path.text()) || !propose_for(seen)) {
        ++advice_.others[place_of(seen.path)];
      }
    }
    return std::move(advice_);
  }

 private:
  bool propose_for(const SeenPath& seen) {
    return propose_directory(seen) || propose_unsyncable(seen) || propose_lock(seen) ||
           propose_sqlite(seen) || propose_log(seen) || propose_temporary(seen) ||
           propose_heavy(seen);
  }

  bool propose_directory(const SeenPath& seen) {
    RelativePath at;
    for (const Name& name : seen.path.parent().names()) {
      at = at / name;
      if (!at.is_within(home_) || at == home_) continue;
      const std::string_view reason = reason_of_directory(name.text());
      if (reason.empty()) continue;
      add("local", pattern_of(at) + "/**", std::string(reason) + ", by its name");
      return true;
    }
    return false;
  }

  bool propose_unsyncable(const SeenPath& seen) {
    if (seen.kind != SeenKind::kSocket && seen.kind != SeenKind::kFifo) return false;
    add("discard", pattern_of(seen.path),
        seen.kind == SeenKind::kSocket ? "a socket of a running program"
                                       : "a pipe of a running program");
    return true;
  }

  bool propose_lock(const SeenPath& seen) {
    const std::string name = seen.path.name().text();
    if (!is_lock(name)) return false;
    const RelativePath place = program_directory(seen.path);
    const std::string reason = "a lock, or the number of a process";
    if (lock_places_[{place, name}].size() >= kManyDirectories) {
      add("discard", pattern_of(place) + "/**/" + escape(name), reason);
    } else {
      add("discard", pattern_of(seen.path), reason);
    }
    return true;
  }

  /// A database and what it writes beside it are right together only; -shm is made anew.
  bool propose_sqlite(const SeenPath& seen) {
    static constexpr std::array<std::string_view, 3> kEnds = {"-wal", "-journal", "-shm"};
    const std::string name = seen.path.name().text();
    std::string database = name;
    for (const std::string_view end : kEnds) {
      if (name.ends_with(end)) database = name.substr(0, name.size() - end.size());
    }
    const RelativePath directory = seen.path.parent();
    const auto has = [&](std::string_view end) {
      const auto beside = Name::parse(database + std::string(end));
      return beside && paths_.contains(directory / *beside);
    };
    if (database.empty() || !has("") || (!has("-wal") && !has("-journal"))) return false;
    if (name.ends_with("-shm")) {
      add("local", pattern_of(seen.path), "SQLite makes it anew from the -wal");
      return true;
    }
    if (directory == home_ || directory.is_root()) return false;  // no place for a group
    add("sync", pattern_of(directory) + "//" + escape(database) + "{,-wal,-journal}",
        "an SQLite database, right only together with its journal",
        " group=" + plain_name_of(database) + " quiesce=sqlite");
    return true;
  }

  bool propose_log(const SeenPath& seen) {
    const std::string name = to_lower(seen.path.name().text());
    if (!name.ends_with(".log") && name.find(".log.") == std::string::npos) return false;
    // LevelDB calls the files that hold its data 000003.log.
    if (std::ranges::all_of(name.substr(0, name.find('.')),
                            [](char byte) { return byte >= '0' && byte <= '9'; })) {
      return false;
    }
    add("local", pattern_of(seen.path), "a log, by its name");
    return true;
  }

  bool propose_temporary(const SeenPath& seen) {
    static constexpr std::array<std::string_view, 6> kEnds = {"tmp",     "temp", "part",
                                                              "partial", "new",  "crdownload"};
    if (seen.is_there || seen.made == 0) return false;
    const std::string name = seen.path.name().text();
    const std::string directory = pattern_of(seen.path.parent());
    const std::size_t dot = name.rfind('.');
    if (dot != std::string::npos && dot > 0) {
      const std::string end = name.substr(dot + 1);
      if (is_one_of(kEnds, to_lower(end))) {
        add("local", directory + "/*." + escape(end), "a temporary file: it came and went");
        return true;
      }
      const auto stem = Name::parse(name.substr(0, dot));
      if (stem && end.size() >= 5 && std::ranges::all_of(end, is_letter_or_digit) &&
          paths_.contains(seen.path.parent() / *stem)) {
        add("local", directory + "/" + escape(stem->text()) + "." + std::string(end.size(), '?'),
            "written beside `" + stem->text() + "` and renamed over it");
        return true;
      }
    }
    add("local", pattern_of(seen.path), "it came and went", {}, /*is_doubtful=*/true);
    return true;
  }

  bool propose_heavy(const SeenPath& seen) {
    if (!seen.is_there) return false;
    const std::uint32_t writes = seen.made + seen.changed;
    if (seen.bytes >= kLargeBytes) {
      add("local", pattern_of(seen.path), std::to_string(seen.bytes >> 20U) + " MiB long", {},
          /*is_doubtful=*/true);
    } else if (seen.bytes >= kBusyBytes && writes >= kBusyWrites) {
      add("local", pattern_of(seen.path),
          "written " + std::to_string(writes) + " times, " + std::to_string(seen.bytes >> 10U) +
              " KiB long",
          {}, /*is_doubtful=*/true);
    } else {
      return false;
    }
    return true;
  }

  void add(std::string_view action, const std::string& pattern, std::string reason,
           const std::string& keys = {}, bool is_doubtful = false) {
    std::string rule = std::string(action) + std::string(9 - action.size(), ' ') +
                       quoted_if_needed(pattern) + keys;
    const auto [known, is_new] = places_.try_emplace(rule, advice_.rules.size());
    if (is_new) {
      advice_.rules.push_back(
          {.rule = std::move(rule), .reason = std::move(reason), .is_doubtful = is_doubtful});
    }
    ++advice_.rules[known->second].paths;
  }

  [[nodiscard]] std::string pattern_of(const RelativePath& path) const {
    if (!path.is_within(home_)) return "/" + escape(path.text());
    return "~" + escape(path.text().substr(home_.text().size()));
  }

  /// What a program calls its own: ~/.config/NAME, ~/.local/share/NAME, ~/.NAME.
  [[nodiscard]] RelativePath program_directory(const RelativePath& path) const {
    if (!path.is_within(home_)) return path.parent();
    const std::vector<Name> names = path.parent().names();
    std::size_t count = home_.names().size() + 1;
    if (names.size() < count) return path.parent();
    if (names[count - 1].text() == ".config") ++count;
    if (names[count - 1].text() == ".local") count += 2;
    RelativePath place;
    for (std::size_t i = 0; i < std::min(count, names.size()); ++i) place = place / names[i];
    return place;
  }
  [[nodiscard]] std::string place_of(const RelativePath& path) const {
    return pattern_of(program_directory(path));
  }

  void count_lock_places() {
    for (const SeenPath& seen : seen_) {
      if (seen.is_decided || seen.path.is_root()) continue;
      const std::string name = seen.path.name().text();
      if (is_lock(name)) {
        lock_places_[{program_directory(seen.path), name}].insert(seen.path.parent());
      }
    }
  }

  std::span<const SeenPath> seen_;
  const RelativePath& home_;
  std::set<RelativePath> paths_;
  std::map<std::pair<RelativePath, std::string>, std::set<RelativePath>> lock_places_;
  std::map<std::string, std::size_t> places_;  ///< of rules in the advice
  RuleAdvice advice_;
};

std::string count_of_paths(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " path" : " paths");
}

/// Names may hold anything; a comment ends at its line.
std::string in_comment(std::string_view text) {
  return escape_for_display(text);
}

}  // namespace

RuleAdvice advise_rules(std::span<const SeenPath> seen, const RelativePath& home) {
  return Adviser(seen, home).run();
}

std::string rule_file_text(const RuleAdvice& advice, std::string_view app) {
  std::string text = "satchel-rules 1\n\n[app " + std::string(app) + "]\n";
  for (const ProposedRule& rule : advice.rules) {
    text += "# " + in_comment(rule.reason) + " (" + count_of_paths(rule.paths) + ")" +
            (rule.is_doubtful ? "; is it needed elsewhere?" : "") + "\n";
    text += (rule.is_doubtful ? "# " : "") + rule.rule + "\n";
  }
  if (!advice.others.empty()) text += "\n# Left as they are:\n";
  for (const auto& [directory, count] : advice.others) {
    text += "# " + count_of_paths(count) + " in " + in_comment(directory) + "\n";
  }
  if (advice.decided > 0) {
    text += "# Of " + count_of_paths(advice.decided) + " a rule speaks already.\n";
  }
  return text;
}

std::string plain_name_of(std::string_view text) {
  std::string name;
  for (const char byte : text) {
    const char lower = to_lower(byte);
    const bool is_plain = is_letter_or_digit(lower) || lower == '.' || lower == '_' || lower == '-';
    name += is_plain ? lower : '-';
  }
  const std::size_t begin = name.find_first_not_of("._-");
  name = begin == std::string::npos ? "program" : name.substr(begin, 63);
  return name;
}

}  // namespace satchel::policies
