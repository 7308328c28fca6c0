// satchel explain PATH
#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>

#include "cli/command.h"
#include "cli/live_fields.h"
#include "cli/mount_client.h"
#include "cli/output.h"
#include "fs/mount_table.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath path;
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
  return outcome;
}

}  // namespace

void declare_explain(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("PATH", options->path.text, "A path in a mount; it need not exist")
      .required();
  command.action = [options](Session& session) { return explain(session, *options); };
}

}  // namespace satchel::cli
