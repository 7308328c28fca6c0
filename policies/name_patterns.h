// All names and globs that any rule speaks of: which of them does one name match?
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policies/byte_trie.h"
#include "policies/glob.h"
#include "policies/number_table.h"

namespace satchel::policies {

using NamePatternId = std::uint32_t;

/// Numbers the distinct names and globs of a rule set, and finds those that a name matches by one
/// hash and two tries of bytes: the cost is the name's length and the globs whose fixed beginning
/// or end the name has. Only globs that begin and end in a wildcard (`*x*`) are all tried.
///
/// First add everything, then freeze(), then ask. A value.
class NamePatterns {
 public:
  NamePatternId add_name(std::string_view name);
  NamePatternId add_glob(const Glob& glob);
  void freeze();

  /// What a name matches. Two names of one `literal` match alike.
  struct Match {
    std::optional<std::uint32_t> literal{};     ///< the name is one that was added: its number
    std::span<const NamePatternId> patterns{};  ///< ascending
  };
  /// `found` holds the patterns of a name that was not added.
  Match match(std::string_view name, std::vector<NamePatternId>& found) const;
  [[nodiscard]] std::size_t literals() const { return literals_.size(); }

 private:
  struct NumberedGlob {
    Glob glob;
    NamePatternId id;
  };
  void find_globs(std::string_view name, std::vector<NamePatternId>& found) const;

  struct Literal {
    std::string name;
    std::vector<NamePatternId> patterns;  ///< the name's own comes first until freeze() sorts them
  };
  [[nodiscard]] std::uint32_t find_literal(std::string_view name) const;

  NamePatternId next_id_ = 0;
  std::vector<Literal> literals_;
  NumberTable literal_numbers_;                              ///< by the hash of the name
  std::unordered_map<std::string, NamePatternId> glob_ids_;  ///< by text
  std::vector<NumberedGlob> globs_;
  // Numbers in globs_, each in one of three places.
  ByteTrie by_beginning_;
  ByteTrie by_end_;  ///< keys read backwards
  std::vector<std::uint32_t> others_;
};

}  // namespace satchel::policies
