// satchel status MNT
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/output.h"
#include "cli/round_fields.h"

namespace satchel::cli {
namespace {

constexpr std::string_view kRequestsPrefix = "requests_";

struct Options {
  HostPath mount_point;
};

std::string state_of(const fs::ControlFields& fields) {
  if (fs::find_field(fields, "workspace").empty()) return "read-only";
  if (!fs::find_field(fields, "trouble").empty()) return "sync-failed";
  return find_number(fields, "dirty_files") > 0 ? "changed" : "synced";
}

Json mount_part(const fs::ControlFields& fields) {
  Json mount;
  mount["pid"] = find_number(fields, "pid");
  set_text(mount, "mount_point", fs::find_field(fields, "mount_point"));
  mount["transport"] = std::string(fs::find_field(fields, "transport"));
  mount["passthrough"] = std::string(fs::find_field(fields, "passthrough"));
  mount["nodes"] = find_number(fields, "nodes");
  mount["handles"] = find_number(fields, "handles");
  mount["requests"] = Json::object();
  for (const auto& [key, value] : fields) {
    if (key.starts_with(kRequestsPrefix)) {
      mount["requests"][key.substr(kRequestsPrefix.size())] = find_number(fields, key);
    }
  }
  return mount;
}

Result<Outcome> status(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const auto fields,
                 ask_mount(session.settings, options.mount_point, {"status", {}}));
  Outcome outcome;
  Json& data = outcome.data;
  const std::string state = state_of(fields);
  const std::string workspace(fs::find_field(fields, "workspace"));
  data["state"] = state;
  data["workspace"] = workspace.empty() ? Json(nullptr) : Json(workspace);
  set_text(data, "repository", fs::find_field(fields, "repository"));
  data["base_version"] = find_number(fields, "base_version");
  data["dirty_files"] = find_number(fields, "dirty_files");
  data["conflicts"] = find_number(fields, "conflicts");
  set_text(data, "trouble", fs::find_field(fields, "trouble"));
  data["mount"] = mount_part(fields);
  data["cache"]["bytes"] = find_number(fields, "cache_bytes");
  data["cache"]["bytes_from_repo"] = find_number(fields, "bytes_from_repo");
  data["last"] = last_round(fields);
  outcome.text = fmt::format(
      "{}  {}  {}\n{} changed files, {} conflicts; {} fetched since the mount, {} kept here; "
      "{}, process {}\n",
      escape_for_display(options.mount_point.text),
      workspace.empty() ? "an image"
                        : fmt::format("{}@{}", workspace, find_number(fields, "base_version")),
      state, find_number(fields, "dirty_files"), find_number(fields, "conflicts"),
      to_size(find_number(fields, "bytes_from_repo")), to_size(find_number(fields, "cache_bytes")),
      fs::find_field(fields, "transport"), find_number(fields, "pid"));
  const std::string trouble(fs::find_field(fields, "trouble"));
  if (!trouble.empty()) outcome.text += fmt::format("the last sync failed: {}\n", trouble);
  return outcome;
}

}  // namespace

void declare_status(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("MNT", options->mount_point.text, "The mount point").required();
  command.action = [options](Session& session) { return status(session, *options); };
}

}  // namespace satchel::cli
