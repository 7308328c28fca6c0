// satchel explain PATH
#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>

#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/output.h"
#include "fs/mount_table.h"
#include "store/entry.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath path;
};

store::Kind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return store::Kind::kDirectory;
    case S_IFLNK:
      return store::Kind::kSymlink;
    case S_IFCHR:
      return store::Kind::kCharDevice;
    case S_IFBLK:
      return store::Kind::kBlockDevice;
    case S_IFIFO:
      return store::Kind::kFifo;
    case S_IFSOCK:
      return store::Kind::kSocket;
    default:
      return store::Kind::kFile;
  }
}

/// What is there now; without it only the path can be explained.
void add_live(fs::ControlFields& fields, const HostPath& path) {
  struct stat stat {};
  if (::lstat(path.c_str(), &stat) != 0) return;
  fields.emplace_back("kind", std::to_string(static_cast<unsigned>(kind_of(stat.st_mode))));
  fields.emplace_back("mode", std::to_string(stat.st_mode & 07777U));
  fields.emplace_back("uid", std::to_string(stat.st_uid));
  fields.emplace_back("gid", std::to_string(stat.st_gid));
  fields.emplace_back("size", std::to_string(stat.st_size));
  fields.emplace_back("mtime", fmt::format("{}.{:09}", stat.st_mtim.tv_sec, stat.st_mtim.tv_nsec));
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
      ->required();
  command.action = [options](Session& session) { return explain(session, *options); };
}

}  // namespace satchel::cli
