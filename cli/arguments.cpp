#include "cli/arguments.h"

#include <CLI/CLI.hpp>

namespace satchel::cli {

Argument& Argument::required() {
  option_->required();
  return *this;
}

Argument& Argument::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Argument& Argument::values(int low, int high) {
  option_->expected(low, high);
  return *this;
}

Argument& Argument::repeatable() {
  option_->expected(1)->take_all();
  return *this;
}

Argument& Argument::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

Argument& Argument::between(unsigned low, unsigned high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Argument& Argument::excludes(const Argument& other) {
  option_->excludes(other.option_);
  return *this;
}

Argument Arguments::add_option(const std::string& names, std::string& target,
                               const std::string& help) {
  return Argument(*app_.add_option(names, target, help));
}

Argument Arguments::add_option(const std::string& names, unsigned& target,
                               const std::string& help) {
  return Argument(*app_.add_option(names, target, help));
}

Argument Arguments::add_option(const std::string& names, std::vector<std::string>& target,
                               const std::string& help) {
  return Argument(*app_.add_option(names, target, help));
}

Argument Arguments::add_flag(const std::string& names, bool& target, const std::string& help) {
  return Argument(*app_.add_flag(names, target, help));
}

}  // namespace satchel::cli
