// Which rules a program's files call for, by what was seen of them while it ran.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/path.h"

namespace satchel::policies {

enum class SeenKind : std::uint8_t { kFile, kSocket, kFifo, kOther };

/// One path that a program made, changed or removed. A value.
struct SeenPath {
  RelativePath path{};
  SeenKind kind = SeenKind::kFile;
  std::uint64_t bytes = 0;    ///< at the end
  std::uint32_t made = 0;     ///< times
  std::uint32_t changed = 0;  ///< times it was opened for writing, or replaced
  bool is_there = true;       ///< at the end
  bool is_decided = false;    ///< a rule speaks of it already, and not only of all of a home
};

/// One rule, for as many paths as call for it. A value.
struct ProposedRule {
  std::string rule;          ///< as it stands in a file
  std::string reason;        ///< what was seen
  bool is_doubtful = false;  ///< for a person to decide: written as a comment
  std::size_t paths = 0;
};

/// A value.
struct RuleAdvice {
  std::vector<ProposedRule> rules;
  std::size_t decided = 0;                    ///< paths that a rule speaks of already
  std::map<std::string, std::size_t> others;  ///< paths that go on as they are, by directory
};

/// Looks for what must not travel (sockets, locks, caches, logs, temporary files) and for what must
/// travel together (SQLite's files), by names that programs give to such, by kinds and by how often
/// a file was written. `home` becomes `~`. Pure.
RuleAdvice advise_rules(std::span<const SeenPath> seen, const RelativePath& home);

/// A rule file with the proposals in a block of `app` (a plain name), each with its reason. It can
/// be read as it is.
std::string rule_file_text(const RuleAdvice& advice, std::string_view app);

/// A plain name made of any: small letters, digits, `.`, `_` and `-`.
std::string plain_name_of(std::string_view text);

}  // namespace satchel::policies
