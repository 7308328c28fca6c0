// Where redirect rules come from: the program, the host's directory, and the view of their person.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/path.h"
#include "fs/view_reader.h"
#include "policies/rule_set.h"
#include "store/refs.h"

namespace satchel::cli {

/// A value.
struct RuleSource {
  HostPath site_directory{"/etc/satchel/rules.d"};
  std::vector<std::string> desktops{};   ///< of the session: XDG_CURRENT_DESKTOP in small letters
  std::optional<store::RefName> user{};  ///< whose workspace; none: an image
  bool ignores_own = false;              ///< the person's own rules are left out
};

/// A rule of a view, as `rules show` says it.
struct ShownRule {
  std::string origin;
  std::string text;
  std::string app;  ///< empty: of no application
};
std::vector<ShownRule> shown_rules(const policies::RuleSet& rules);

/// Where the home of a workspace's person is in the view: /home/USER.
RelativePath home_of(const store::RefName& user);

/// The shipped rule files and the site's, in the order of reading. Errors: read_rule_files().
Result<std::vector<policies::RuleFile>> read_host_rules(const HostPath& site_directory);

/// All rule files of a view, in the order of reading: those of the host, and the person's own in
/// ~/.config/satchel/rules.d of the view, so that they go wherever the person goes.
Result<std::vector<policies::RuleFile>> read_rules(const fs::ViewReader& view,
                                                   const RuleSource& source);

/// What rules are compiled for: `~` is the person's home and root's, the person's own rules
/// reaching only the former. With user-dirs.dirs. [system] counts where the view has /usr or /etc.
/// `view` is borrowed by the result.
Result<policies::ViewOptions> view_options_of(const fs::ViewReader& view, const RuleSource& source);

/// The same without a view to look at: for reading rules that are not mounted.
policies::ViewOptions plain_view_options(const RuleSource& source);

/// The rules that hold in a view. Errors: EINVAL/kRuleSyntax with a line for each fault, and those
/// of read_rules() and view_options_of().
Result<policies::RuleSet> load_rules(const fs::ViewReader& view, const RuleSource& source);

}  // namespace satchel::cli
