// Redirect rules done the plain way, to hold the matcher against: every rule is tried on every
// path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace satchel::test {

/// What one naive rule set says of a path.
struct NaiveAnswer {
  std::string action;
  std::string data_class;
  std::string group;       ///< its NAME; empty: none
  std::string group_root;  ///< "/a/b"
  std::size_t line = 0;    ///< of the deciding rule, from 0; the last resort has no line
};

/// Reads no faulty rules and shares no code with policies/. `~` is `home`.
class NaiveRules {
 public:
  explicit NaiveRules(std::string home) : home_(std::move(home)) {}
  /// "ACTION PATTERN [class=C] [group=G]", blanks between; later lines win.
  void add(const std::string& line);
  /// `path` begins with '/'.
  [[nodiscard]] NaiveAnswer decide(const std::string& path, bool is_directory) const;

 private:
  struct Rule {
    std::string action;
    std::vector<std::string> patterns;
    std::string data_class;
    std::string group;
  };
  std::string home_;
  std::vector<Rule> rules_;
};

}  // namespace satchel::test
