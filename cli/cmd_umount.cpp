// satchel umount MNT [--lazy | --abort]
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "fs/mount.h"

namespace satchel::cli {
namespace {

constexpr std::chrono::seconds kDeadline{60};

struct Options {
  HostPath mount_point;
  bool is_lazy = false;
  bool is_abort = false;
};

Result<Outcome> umount(Session& session, const Options& options) {
  const fs::UnmountMode mode = options.is_abort  ? fs::UnmountMode::kAbort
                               : options.is_lazy ? fs::UnmountMode::kLazy
                                                 : fs::UnmountMode::kClean;
  SATCHEL_TRY(
      fs::unmount(options.mount_point, session.settings.runtime_directory, mode, kDeadline));
  Outcome outcome;
  set_text(outcome.data, "mount_point", options.mount_point.text);
  outcome.text = fmt::format("{} is unmounted\n", escape_for_display(options.mount_point.text));
  return outcome;
}

}  // namespace

void declare_umount(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("MNT", options->mount_point.text, "The mount point").required();
  const Argument lazy =
      command.options.add_flag("--lazy", options->is_lazy, "Even if programs use it; they lose it");
  command.options
      .add_flag("--abort", options->is_abort,
                "End a mount that is stuck; what was fsynced is safe, the rest is recovered")
      .excludes(lazy);
  command.action = [options](Session& session) { return umount(session, *options); };
}

}  // namespace satchel::cli
