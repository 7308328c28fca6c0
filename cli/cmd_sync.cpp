// satchel sync MNT
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/output.h"
#include "cli/round_fields.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath mount_point;
  std::string message;
  bool allows_deletes = false;
};

/// All values of `key`.
std::vector<std::string> find_all(const fs::ControlFields& fields, std::string_view key) {
  std::vector<std::string> values;
  for (const auto& [name, value] : fields) {
    if (name == key) values.push_back(value);
  }
  return values;
}

void add_conflicts(Outcome& outcome, const fs::ControlFields& fields, const Options& options) {
  const auto kinds = find_all(fields, "conflict_kind");
  const auto paths = find_all(fields, "conflict_path");
  outcome.data["conflicts"] = paths.size();
  outcome.data["conflict_paths"] = Json::array();
  for (std::size_t i = 0; i < paths.size() && i < kinds.size(); ++i) {
    Json line;
    set_text(line, "path", paths[i]);
    line["kind"] = kinds[i];
    outcome.data["conflict_paths"].push_back(std::move(line));
    outcome.text += fmt::format("conflict ({}): {}\n", kinds[i], escape_for_display(paths[i]));
  }
  if (paths.empty()) return;
  outcome.error = Error{
      .code = EBUSY,
      .sat = Sat::kConflicts,
      .message = fmt::format("{} paths were changed on both sides", paths.size()),
      .path = options.mount_point.text,
      .hint = "everything is synced; what lost is kept in the version's conflicts for 30 days"};
}

void add_busy(Outcome& outcome, const fs::ControlFields& fields, const Options& options) {
  const auto busy = find_all(fields, "busy");
  outcome.data["busy"] = Json::array();
  for (const std::string& path : busy) {
    Json line;
    set_text(line, "path", path);
    outcome.data["busy"].push_back(std::move(line));
    outcome.text += fmt::format("busy: {}\n", escape_for_display(path));
  }
  if (busy.empty() || outcome.error) return;
  outcome.error = Error{.code = EBUSY,
                        .sat = Sat::kBusyFile,
                        .message = fmt::format("{} files kept changing and were not synced as "
                                               "they are now",
                                               busy.size()),
                        .path = options.mount_point.text,
                        .hint = "the next sync takes them along"};
}

Result<Outcome> sync(Session& session, const Options& options) {
  const fs::ControlRequest request{
      "sync",
      {{"message", options.message}, {"allow_deletes", options.allows_deletes ? "yes" : "no"}}};
  SATCHEL_ASSIGN(const auto fields, ask_mount(session.settings, options.mount_point, request));
  Outcome outcome;
  const std::string result(fs::find_field(fields, "result"));
  const std::uint64_t version = find_number(fields, "version");
  outcome.data["result"] = result;
  outcome.data["version"] = version;
  outcome.text = fmt::format("{}: version {}, {} sent, {} received, {} files hashed\n", result,
                             version, to_size(find_number(fields, "last_bytes_sent")),
                             to_size(find_number(fields, "last_bytes_received")),
                             find_number(fields, "last_files_hashed"));
  add_conflicts(outcome, fields, options);
  add_busy(outcome, fields, options);
  outcome.data["last"] = last_round(fields);
  return outcome;
}

}  // namespace

void declare_sync(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("MNT", options->mount_point.text, "The mount point").required();
  command.options
      .add_option("--message", options->message, "A line for the version that this may make")
      .type_name("TEXT");
  command.options.add_flag("--allow-deletes", options->allows_deletes,
                           "Go on even if a great part of the files would be deleted");
  command.action = [options](Session& session) { return sync(session, *options); };
}

}  // namespace satchel::cli
