// Where `~` and `$XDG_…` of a pattern are, in one view.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/path.h"

namespace satchel::policies {

/// One home directory in the view, with what its owner's environment and user-dirs.dirs say. What
/// is not in `variables` has the default of the XDG specifications. A value.
struct Home {
  RelativePath path{};
  std::map<std::string, RelativePath, std::less<>> variables{};  ///< "XDG_CONFIG_HOME" → where
  bool is_own = true;  ///< a person's own rules reach it; false: only shipped and site's ones do
};

/// The variables that a pattern may begin with, without their `$`.
std::span<const std::string_view> known_variables();

/// Where `variable` is. None if it has no default (XDG_RUNTIME_DIR), or is the home directory or
/// one that holds it: user-dirs.dirs says so of a folder that is switched off, and a rule for that
/// folder must not reach everything.
std::optional<RelativePath> place_of(const Home& home, std::string_view variable);

/// What rules are compiled for. A value.
struct ViewOptions {
  /// One for each home that `~` is; none: rules that begin in `~` match nothing.
  std::vector<Home> homes{};
  bool is_whole_system = true;          ///< false: [system] blocks are left out
  std::vector<std::string> desktops{};  ///< of `when=desktop:`: XDG_CURRENT_DESKTOP, lower case
  /// Of `when=exists:`; asked while compiling. Not set: nothing exists.
  std::function<bool(const RelativePath&)> exists{};
};

}  // namespace satchel::policies
