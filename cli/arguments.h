// Declaring what a sub-command takes. Behind it stands CLI11, which only arguments.cpp and app.cpp
// include: it takes longer to compile than all of a command.
#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
class Option;
}  // namespace CLI

namespace satchel::cli {

/// An option or a place that was just declared; its methods narrow it and return it. A value.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(&option) {}

  Argument& required();
  /// What help calls its value: "NAME@N".
  Argument& type_name(const std::string& name);
  /// At least `low` and at most `high` values.
  Argument& values(int low, int high);
  /// Given several times, each with one value, all are taken.
  Argument& repeatable();
  Argument& one_of(const std::vector<std::string>& values);
  Argument& between(unsigned low, unsigned high);
  /// Both together are a usage error.
  Argument& excludes(const Argument& other);

 private:
  CLI::Option* option_;
};

/// The options and places of one sub-command. `names`: "-n,--dry-run", or "REPO" for a place on the
/// line. What a target holds before is its default; it must live until the command has run.
class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(app) {}

  Argument add_option(const std::string& names, std::string& target, const std::string& help);
  Argument add_option(const std::string& names, unsigned& target, const std::string& help);
  Argument add_option(const std::string& names, std::vector<std::string>& target,
                      const std::string& help);
  Argument add_flag(const std::string& names, bool& target, const std::string& help);

 private:
  CLI::App& app_;
};

}  // namespace satchel::cli
