// satchel rules check [FILE …] [--own]
// satchel rules test [FILE …]
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/digest.h"
#include "base/file_io.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/rule_source.h"
#include "policies/default_rules.h"
#include "policies/rule_cases.h"
#include "policies/rule_files.h"

namespace satchel::cli {
namespace {

using policies::Owner;
using policies::RuleFault;
using policies::RuleFile;

constexpr std::string_view kCases = ".cases";

struct Options {
  std::vector<std::string> files;
  bool is_own = false;
};

/// A file that a person names may be anywhere, and a link.
Result<RuleFile> read_named_file(const std::string& path, Owner owner) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return file_error(folder, "cannot open the directory");
  const auto name = Name::parse(path.substr(slash == std::string::npos ? 0 : slash + 1));
  if (!name) return Error{.code = EINVAL, .sat = Sat::kUsage, .path = path};
  auto bytes = read_file(directory.get(), *name, policies::RuleFileLimits::kFileBytesMax);
  if (!bytes) {
    bytes.error().path = path;
    if (bytes.error().code == EFBIG) bytes.error().sat = Sat::kRuleSyntax;
    return std::move(bytes).error();
  }
  return RuleFile{.name = path, .owner = owner, .text = std::string(as_text(*bytes))};
}

/// A view as most are: a whole system, in which the person is called as the cases call her.
Result<RuleSource> any_view(const Session& session) {
  RuleSource source;
  source.site_directory = session.settings.site_rules;
  source.desktops = session.settings.desktops;
  SATCHEL_ASSIGN(source.user,
                 store::RefName::user(policies::case_view().homes[0].path.name().text()));
  return source;
}

Json to_json(const RuleFault& fault) {
  Json line;
  set_text(line, "file", fault.file);
  line["line"] = fault.line;
  line["column"] = fault.column;
  set_text(line, "message", fault.message);
  set_text(line, "suggestion", fault.suggestion);
  return line;
}

/// The host's files with those that were named, in the order of reading.
Result<std::vector<RuleFile>> arrange(const Session& session, std::vector<RuleFile> named) {
  SATCHEL_ASSIGN(std::vector<RuleFile> files, read_host_rules(session.settings.site_rules));
  std::ranges::move(named, std::back_inserter(files));
  return policies::arrange_rule_files(std::move(files));
}

Result<Outcome> check(const Session& session, const Options& options) {
  std::vector<RuleFile> named;
  for (const std::string& path : options.files) {
    SATCHEL_ASSIGN(RuleFile file,
                   read_named_file(path, options.is_own ? Owner::kPerson : Owner::kSite));
    named.push_back(std::move(file));
  }
  SATCHEL_ASSIGN(const std::vector<RuleFile> files, arrange(session, std::move(named)));
  SATCHEL_ASSIGN(const RuleSource source, any_view(session));
  const auto faults = policies::check_rules(files, plain_view_options(source));
  Outcome outcome;
  outcome.data["files"] = files.size();
  outcome.data["faults"] = Json::array();
  for (const RuleFault& fault : faults) outcome.data["faults"].push_back(to_json(fault));
  if (!faults.empty()) {
    outcome.error = policies::error_of(faults);
    outcome.error->hint = "satchel-rules(5) has the form";
    return outcome;
  }
  outcome.text = fmt::format("{} files, no mistakes\n", files.size());
  return outcome;
}

struct Tested {
  std::vector<RuleFile> rules;
  std::vector<policies::RuleCase> cases;
};

Result<void> add_cases(Tested& tested, const RuleFile& file) {
  SATCHEL_ASSIGN(auto cases, policies::parse_cases(file));
  std::ranges::move(cases, std::back_inserter(tested.cases));
  return {};
}

/// Without files: what is shipped, by itself. With files: their cases, by all rules of this host.
Result<Tested> find_tested(const Session& session, const Options& options) {
  Tested tested;
  if (options.files.empty()) {
    const auto shipped = policies::default_rule_files();
    tested.rules.assign(shipped.begin(), shipped.end());
    for (const RuleFile& file : policies::default_case_files()) {
      SATCHEL_TRY(add_cases(tested, file));
    }
    return tested;
  }
  std::vector<RuleFile> named;
  for (const std::string& path : options.files) {
    SATCHEL_ASSIGN(RuleFile file, read_named_file(path, Owner::kSite));
    if (path.ends_with(kCases)) {
      SATCHEL_TRY(add_cases(tested, file));
    } else {
      named.push_back(std::move(file));
    }
  }
  SATCHEL_ASSIGN(tested.rules, arrange(session, std::move(named)));
  if (!tested.cases.empty()) return tested;
  return Error{.code = EINVAL,
               .sat = Sat::kUsage,
               .message = "no cases to replay",
               .hint = "name a .cases file besides the rules: satchel rules test X.rules X.cases"};
}

Result<Outcome> test(const Session& session, const Options& options) {
  SATCHEL_ASSIGN(const Tested tested, find_tested(session, options));
  SATCHEL_ASSIGN(const auto rules, policies::RuleSet::make(tested.rules, policies::case_view()));
  const auto failures = policies::failed_cases(rules, tested.cases);
  Outcome outcome;
  outcome.data["cases"] = tested.cases.size();
  outcome.data["failed"] = failures.size();
  outcome.data["failures"] = Json::array();
  for (const std::string& failure : failures) {
    Json line;
    set_text(line, "text", failure);
    outcome.data["failures"].push_back(std::move(line));
    outcome.text += escape_for_display(failure) + "\n";
  }
  outcome.text += fmt::format("{} cases, {} failed\n", tested.cases.size(), failures.size());
  if (!failures.empty()) {
    outcome.error = Error{.code = EDOM,
                          .message = fmt::format("{} of {} cases are answered otherwise",
                                                 failures.size(), tested.cases.size())};
  }
  return outcome;
}

}  // namespace

void declare_rules_check(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("FILE", options->files,
                             "Rule files that are not yet in place; read with this host's rules");
  command.options.add_flag("--own", options->is_own,
                           "Read FILE as a person's own: it reaches only below ~");
  command.action = [options](Session& session) { return check(session, *options); };
}

void declare_rules_test(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option(
      "FILE", options->files,
      "Rules and .cases to replay with this host's rules; without: what is shipped");
  command.action = [options](Session& session) { return test(session, *options); };
}

}  // namespace satchel::cli
