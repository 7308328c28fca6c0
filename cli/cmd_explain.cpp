// satchel explain PATH [--group]
#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>

#include "cli/command.h"
#include "cli/live_fields.h"
#include "cli/mount_client.h"
#include "cli/output.h"
#include "cli/round_fields.h"
#include "fs/mount_table.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath path;
  bool with_group = false;
};

/// What is there now; without it only the path can be explained.
void add_live(fs::ControlFields& fields, const HostPath& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return;
  fs::NodeStat stat;
  stat.mode = found.st_mode;
  stat.uid = found.st_uid;
  stat.gid = found.st_gid;
  stat.size = static_cast<std::uint64_t>(found.st_size);
  stat.mtime = Timestamp::from(found.st_mtim);
  for (auto& field : live_fields(stat)) fields.push_back(std::move(field));
}

/// What is in the path's group, and what of it moves.
void add_group(Outcome& outcome, const fs::ControlFields& fields) {
  const std::uint64_t count = find_number(fields, "members");
  Json members = Json::array();
  Json unrest = Json::array();
  std::string moving;
  for (const auto& [key, value] : fields) {
    if (key == "member") members.push_back(value);
    if (key != "open" && key != "changed") continue;
    const char* const why = key == "open" ? "open for writing" : "changed a moment ago";
    unrest.push_back({{"path", value}, {"why", why}});
    moving += fmt::format("  {}: {}\n", why, escape_for_display(value));
  }
  outcome.text += fmt::format("  the group has {} paths and is {}\n", count,
                              moving.empty() ? "quiet" : "not quiet");
  outcome.text += moving;
  outcome.data["members"] = std::move(members);
  outcome.data["members_count"] = count;
  outcome.data["unrest"] = std::move(unrest);
}

Result<Outcome> explain(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const auto place, fs::find_satchel_mount_of(options.path));
  fs::ControlRequest request{"explain", {{"path", place.path.text()}}};
  add_live(request.fields, options.path);
  SATCHEL_ASSIGN(const auto fields, ask_device(session.settings, place.mount.device, request));
  Outcome outcome;
  set_text(outcome.data, "path", place.path.absolute());
  outcome.text = fmt::format("{}\n", escape_for_display(place.path.absolute()));
  for (const char* const key :
       {"action", "class", "area", "group", "rule", "origin", "layer", "version", "state"}) {
    const std::string value(fs::find_field(fields, key));
    outcome.data[key] = value.empty() ? Json(nullptr) : Json(value);
    if (!value.empty()) outcome.text += fmt::format("  {:<8} {}\n", key, value);
  }
  if (options.with_group && !outcome.data["group"].is_null()) {
    request.verb = "group";
    SATCHEL_ASSIGN(const auto group, ask_device(session.settings, place.mount.device, request));
    add_group(outcome, group);
  }
  return outcome;
}

}  // namespace

void declare_explain(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("PATH", options->path.text, "A path in a mount; it need not exist")
      .required();
  command.options.add_flag("--group", options->with_group,
                           "Say too what is in the path's group, and whether it is quiet");
  command.action = [options](Session& session) { return explain(session, *options); };
}

}  // namespace satchel::cli
