// The globs that stand in one place of the rules: which of them does a name match?
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "policies/byte_trie.h"
#include "policies/glob.h"

namespace satchel::policies {

/// Finds matches by two tries of bytes: the cost is that of the globs whose fixed beginning or end
/// the name has, however many there are. Only globs that begin and end in a wildcard (`*x*`) are
/// all tried. A value.
class GlobIndex {
 public:
  void add(const Glob& glob, std::uint32_t number);
  /// Adds to `found` the numbers of the globs that `name` matches, in no order.
  void find(std::string_view name, std::vector<std::uint32_t>& found) const;

 private:
  struct NumberedGlob {
    Glob glob;
    std::uint32_t number;
  };
  // Places in globs_, each in one of the three.
  ByteTrie by_beginning_;
  ByteTrie by_end_;  ///< keys read backwards
  std::vector<std::uint32_t> others_;
  std::vector<NumberedGlob> globs_;
};

}  // namespace satchel::policies
