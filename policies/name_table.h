// The names that rules spell out, numbered.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/number_table.h"

namespace satchel::policies {

/// A value.
class NameTable {
 public:
  static constexpr std::uint32_t kNone = NumberTable::kNone;

  /// The number of `name`, which is added if it is new.
  std::uint32_t add(std::string_view name) {
    std::uint32_t number = find(name);
    if (number == kNone) {
      number = static_cast<std::uint32_t>(names_.size());
      numbers_.add(hash_of(name), number);
      names_.emplace_back(name);
    }
    return number;
  }
  [[nodiscard]] std::uint32_t find(std::string_view name) const {
    return numbers_.find(hash_of(name),
                         [&](std::uint32_t number) { return names_[number] == name; });
  }
  [[nodiscard]] std::size_t size() const { return names_.size(); }

 private:
  static std::uint64_t hash_of(std::string_view name) {
    return std::hash<std::string_view>{}(name);
  }

  std::vector<std::string> names_;
  NumberTable numbers_;  ///< by the hash of the name
};

}  // namespace satchel::policies
