// satchel rules show [MNT]
// satchel rules reload MNT [-n]
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/output.h"
#include "cli/round_fields.h"
#include "cli/rule_source.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath mount_point;
  bool is_dry_run = false;
};

/// Fields that come in rows of the same keys.
std::vector<ShownRule> rules_in(const fs::ControlFields& fields) {
  std::vector<ShownRule> rules;
  for (const auto& [key, value] : fields) {
    if (key == "origin") rules.push_back({.origin = value, .text = {}, .app = {}});
    if (rules.empty()) continue;
    if (key == "rule") rules.back().text = value;
    if (key == "app") rules.back().app = value;
  }
  return rules;
}

Result<std::vector<ShownRule>> find_rules(const Session& session, const Options& options) {
  if (!options.mount_point.text.empty()) {
    SATCHEL_ASSIGN(const auto fields,
                   ask_mount(session.settings, options.mount_point, {"rules_show", {}}));
    return rules_in(fields);
  }
  RuleSource source;
  source.desktops = session.settings.desktops;
  SATCHEL_ASSIGN(source.user, store::RefName::user("user"));
  SATCHEL_ASSIGN(const auto files, read_host_rules(session.settings.site_rules));
  SATCHEL_ASSIGN(const auto rules, policies::RuleSet::make(files, plain_view_options(source)));
  return shown_rules(rules);
}

Result<Outcome> show(const Session& session, const Options& options) {
  SATCHEL_ASSIGN(const auto rules, find_rules(session, options));
  Outcome outcome;
  outcome.data = Json::array();
  for (const ShownRule& rule : rules) {
    Json line;
    set_text(line, "origin", rule.origin);
    set_text(line, "rule", rule.text);
    line["app"] = rule.app.empty() ? Json(nullptr) : Json(rule.app);
    outcome.data.push_back(std::move(line));
    outcome.text +=
        fmt::format("{}: {}\n", escape_for_display(rule.origin), escape_for_display(rule.text));
  }
  return outcome;
}

void add_relabelled(Outcome& outcome, const fs::ControlFields& fields) {
  const std::uint64_t count = find_number(fields, "relabelled");
  outcome.data["relabelled"] = count;
  outcome.data["paths"] = Json::array();
  Json line;
  std::string path;
  std::string before;
  std::size_t listed = 0;
  for (const auto& [key, value] : fields) {
    if (key == "path") path = value;
    if (key == "before") before = value;
    if (key != "after") continue;
    line = Json::object();
    set_text(line, "path", path);
    line["before"] = before;
    line["after"] = value;
    outcome.data["paths"].push_back(line);
    outcome.text += fmt::format("{}: {} -> {}\n", escape_for_display(path), before, value);
    ++listed;
  }
  if (listed < count) outcome.text += fmt::format("… and {} more\n", count - listed);
  outcome.text += fmt::format("{} paths would change\n", count);
}

Result<Outcome> reload(const Session& session, const Options& options) {
  fs::ControlRequest request{"rules_reload", {}};
  if (options.is_dry_run) request.fields.emplace_back("dry_run", "yes");
  SATCHEL_ASSIGN(const auto fields, ask_mount(session.settings, options.mount_point, request));
  const bool is_other = fs::find_field(fields, "changed") == "yes";
  Outcome outcome;
  outcome.data["changed"] = is_other;
  outcome.data["rules_id"] = std::string(fs::find_field(fields, "id"));
  if (options.is_dry_run) {
    add_relabelled(outcome, fields);
  } else {
    outcome.text = is_other ? "the rules have changed; the next sync goes by them\n"
                            : "the rules are the same as before\n";
  }
  return outcome;
}

}  // namespace

void declare_rules_show(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("MNT", options->mount_point.text,
                             "Those of this mount; without: what a new mount on this host would "
                             "have, but for the person's own");
  command.action = [options](Session& session) { return show(session, *options); };
}

void declare_rules_reload(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("MNT", options->mount_point.text, "The mount point").required();
  command.options.add_flag("-n,--dry-run", options->is_dry_run,
                           "Change nothing; list the paths of which the rules would say otherwise");
  command.action = [options](Session& session) { return reload(session, *options); };
}

}  // namespace satchel::cli
