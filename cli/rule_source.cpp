#include "cli/rule_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "policies/default_rules.h"
#include "policies/rule_files.h"
#include "policies/user_dirs.h"

namespace satchel::cli {
namespace {

using fs::ViewReader;
using policies::Owner;
using policies::RuleDirectoryLimits;
using policies::RuleFile;
using policies::RuleFileLimits;

constexpr std::size_t kUserDirsBytesMax = 64U << 10U;
/// A directory may hold other things than rules.
constexpr std::size_t kNamesMax = 10 * RuleDirectoryLimits::kFilesMax;

RelativePath below(RelativePath path, std::string_view names) {
  const Result<RelativePath> more = RelativePath::parse(names);
  SATCHEL_ASSERT(more.has_value());
  for (const Name& name : more->names()) path = path / name;
  return path;
}

RelativePath own_rules_of(const store::RefName& user) {
  return below(home_of(user), ".config/satchel/rules.d");
}

/// As read_rule_files() treats links: none is followed but one to nothing.
Result<std::string> read_own_file(const ViewReader& view, const RelativePath& path) {
  auto text = view.read_file(path, RuleFileLimits::kFileBytesMax);
  if (!text && (text.error().code == EFBIG || text.error().code == EINVAL)) {
    text.error().sat = Sat::kRuleSyntax;
  }
  if (text || text.error().code != ELOOP) return text;
  SATCHEL_ASSIGN(const std::string target, view.read_link(path));
  if (target == "/dev/null") return std::string();
  return Error{
      .code = EINVAL,
      .sat = Sat::kRuleSyntax,
      .message = "a rule file is a symbolic link",
      .path = path.absolute(),
      .hint = "copy the file here; only a link to /dev/null is followed, as an empty file"};
}

Result<std::vector<RuleFile>> read_own_rules(const ViewReader& view, const store::RefName& user) {
  std::vector<RuleFile> files;
  const RelativePath directory = own_rules_of(user);
  SATCHEL_ASSIGN(const auto mode, view.find_mode(directory, ViewReader::LastLink::kFollow));
  if (!mode) return files;
  SATCHEL_ASSIGN(const std::vector<Name> names, view.list(directory, kNamesMax));
  for (const Name& name : names) {
    if (!name.text().ends_with(".rules") || name.text().starts_with('.')) continue;
    if (files.size() == RuleDirectoryLimits::kFilesMax) {
      return Error{
          .code = EFBIG,
          .sat = Sat::kRuleSyntax,
          .message = "more than " + std::to_string(RuleDirectoryLimits::kFilesMax) + " rule files",
          .path = directory.absolute()};
    }
    SATCHEL_ASSIGN(std::string text, read_own_file(view, directory / name));
    files.push_back(
        {.name = (directory / name).absolute(), .owner = Owner::kPerson, .text = std::move(text)});
  }
  return files;
}

std::vector<policies::Home> homes_of(const RuleSource& source) {
  std::vector<policies::Home> homes;
  if (source.user) homes.push_back({.path = home_of(*source.user)});
  homes.push_back({.path = below({}, "root"), .is_own = false});
  return homes;
}

Result<std::vector<RuleFile>> read_host_files(const HostPath& site_directory) {
  const std::span<const RuleFile> shipped = policies::default_rule_files();
  std::vector<RuleFile> files(shipped.begin(), shipped.end());
  const policies::RuleDirectory site{.path = site_directory, .owner = Owner::kSite};
  SATCHEL_ASSIGN(std::vector<RuleFile> of_site, policies::read_rule_files(std::span(&site, 1)));
  std::ranges::move(of_site, std::back_inserter(files));
  return files;
}

bool is_own_fault(const policies::RuleFault& fault, const RuleSource& source) {
  return source.user && fault.file.starts_with(own_rules_of(*source.user).absolute() + "/");
}

}  // namespace

std::vector<ShownRule> shown_rules(const policies::RuleSet& rules) {
  std::vector<ShownRule> shown;
  for (const policies::RuleLine& line : rules.lines()) {
    shown.push_back({.origin = std::string(line.origin),
                     .text = std::string(line.text),
                     .app = std::string(line.app)});
  }
  return shown;
}

RelativePath home_of(const store::RefName& user) {
  return below({}, "home") / Name::checked(user.text());
}

Result<std::vector<RuleFile>> read_host_rules(const HostPath& site_directory) {
  SATCHEL_ASSIGN(std::vector<RuleFile> files, read_host_files(site_directory));
  return policies::arrange_rule_files(std::move(files));
}

Result<std::vector<RuleFile>> read_rules(const ViewReader& view, const RuleSource& source) {
  SATCHEL_ASSIGN(std::vector<RuleFile> files, read_host_files(source.site_directory));
  if (source.user && !source.ignores_own) {
    SATCHEL_ASSIGN(std::vector<RuleFile> own, read_own_rules(view, *source.user));
    std::ranges::move(own, std::back_inserter(files));
  }
  return policies::arrange_rule_files(std::move(files));
}

policies::ViewOptions plain_view_options(const RuleSource& source) {
  return {.homes = homes_of(source), .is_whole_system = true, .desktops = source.desktops};
}

Result<policies::ViewOptions> view_options_of(const ViewReader& view, const RuleSource& source) {
  policies::ViewOptions options = plain_view_options(source);
  options.is_whole_system = false;
  for (const char* const directory : {"usr", "etc"}) {
    SATCHEL_ASSIGN(const auto mode,
                   view.find_mode(below({}, directory), ViewReader::LastLink::kFollow));
    if (mode && S_ISDIR(*mode)) options.is_whole_system = true;
  }
  for (policies::Home& home : options.homes) {
    const RelativePath file = below(home.path, ".config/user-dirs.dirs");
    const auto text = view.read_file(file, kUserDirsBytesMax);
    // What is no such file says nothing: a person may have anything there.
    if (text) policies::add_user_dirs(home, *text);
  }
  options.exists = [&view](const RelativePath& path) {
    const auto mode = view.find_mode(path, ViewReader::LastLink::kFollow);
    return mode && mode->has_value();
  };
  return options;
}

Result<policies::RuleSet> load_rules(const ViewReader& view, const RuleSource& source) {
  SATCHEL_ASSIGN(const std::vector<RuleFile> files, read_rules(view, source));
  SATCHEL_ASSIGN(const policies::ViewOptions options, view_options_of(view, source));
  auto rules = policies::RuleSet::make(files, options);
  if (rules) return rules;
  Error error = std::move(rules).error();
  const auto faults = policies::check_rules(files, options);
  if (std::ranges::any_of(faults, [&](const auto& fault) { return is_own_fault(fault, source); })) {
    error.hint = "mount with --ignore-own-rules, correct the file there, and mount again";
  }
  return error;
}

}  // namespace satchel::cli
