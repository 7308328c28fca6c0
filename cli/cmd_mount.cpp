// satchel mount --repo REPO [--store DIR] USER MNT
// satchel mount --repo REPO [--store DIR] --image NAME@N MNT
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "cli/command.h"
#include "cli/mount_session.h"
#include "cli/output.h"
#include "cli/reference.h"
#include "cli/repository_door.h"
#include "fs/daemon.h"
#include "fs/mount_table.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  HostPath store;
  std::string image;
  std::vector<std::string> places;  ///< USER MNT, or MNT
  bool is_foreground = false;
  bool is_exported = false;
  bool ignores_own_rules = false;
  std::string io_uring = "auto";
  unsigned threads = 4;
  unsigned deadline_s = fs::kRepositoryDeadline / std::chrono::seconds(1);
};

Error usage(std::string_view message) {
  return {.code = EINVAL,
          .sat = Sat::kUsage,
          .message = std::string(message),
          .hint = "satchel mount --repo REPO USER MNT, or --image NAME@N MNT"};
}

/// The store that was named, or this user's own; what is above that one is made if it is missing.
Result<HostPath> find_store(const Session& session, const Options& options) {
  if (!options.store.text.empty()) return absolute_path(options.store);
  const HostPath& own = session.settings.store_directory;
  if (own.text.empty()) return usage("there is no HOME to keep a store in: --store is needed");
  SATCHEL_ASSIGN(HostPath store, absolute_path(own));
  const auto above = std::filesystem::path(store.text).parent_path();
  std::error_code failed;
  std::filesystem::create_directories(above, failed);
  if (failed) {
    errno = failed.value();
    return errno_error(above.string(), "make the folder of the store");
  }
  return store;
}

Result<MountSessionOptions> read_options(Session& session, const Options& options) {
  const std::size_t places = options.image.empty() ? 2 : 1;
  if (options.places.size() != places) {
    return usage(options.image.empty() ? "a user and a mount point are needed"
                                       : "with --image, a mount point is needed and no user");
  }
  MountSessionOptions mount;
  if (options.image.empty()) {
    SATCHEL_ASSIGN(mount.user, store::RefName::user(options.places.front()));
  } else {
    SATCHEL_ASSIGN(mount.image, parse_image_version(options.image));
  }
  SATCHEL_ASSIGN(mount.repository, absolute_path(options.repository));
  SATCHEL_ASSIGN(mount.store, find_store(session, options));
  SATCHEL_ASSIGN(mount.mount_point, fs::resolve_mount_point({options.places.back()}));
  mount.runtime_directory = session.settings.runtime_directory;
  SATCHEL_ASSIGN(mount.temporary_directory, absolute_path(session.settings.temporary_directory));
  SATCHEL_ASSIGN(mount.machine_id, machine_id());
  mount.device = session.settings.device;
  SATCHEL_ASSIGN(const HostPath site_rules, absolute_path(session.settings.site_rules));
  mount.rules = {.site_directory = site_rules,
                 .desktops = session.settings.desktops,
                 .user = mount.user,
                 .ignores_own = options.ignores_own_rules};
  mount.transport =
      options.io_uring == "off" ? fs::TransportChoice::kDevFuse : fs::TransportChoice::kAuto;
  mount.fetch_threads = options.threads;
  mount.deadline = std::chrono::seconds(options.deadline_s);
  mount.is_exported = options.is_exported;
  if (options.is_foreground) {
    mount.log_to_stderr = session.verbosity > 0 ? LogLevel::kDebug : LogLevel::kInfo;
  }
  return mount;
}

Result<Outcome> mount(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const MountSessionOptions mount, read_options(session, options));
  Outcome outcome;
  const std::string what =
      mount.user ? mount.user->text()
                 : fmt::format("{}@{}", mount.image->name.text(), mount.image->number);
  set_text(outcome.data, "mount_point", mount.mount_point.text);
  outcome.data["name"] = what;
  if (options.is_foreground) {
    fs::block_stop_signals();
    SATCHEL_TRY(run_mount(mount, [](const Result<void>&) {}));
    return outcome;
  }
  SATCHEL_ASSIGN(const pid_t process, fs::start_daemon([&mount](const fs::StartReport& report) {
                   return run_mount(mount, report);
                 }));
  outcome.data["pid"] = process;
  outcome.text =
      fmt::format("{} is mounted at {}\n", what, escape_for_display(mount.mount_point.text));
  return outcome;
}

}  // namespace

void declare_mount(const Command& command) {
  const auto options = std::make_shared<Options>();
  Arguments& app = command.options;
  app.add_option("--repo", options->repository.text, "The repository").type_name("REPO").required();
  app.add_option("--store", options->store.text, "This device's store; made if it is missing")
      .type_name("DIR");
  app.add_option("--image", options->image, "Mount an image, read-only, instead of a workspace")
      .type_name("NAME@N");
  app.add_option("USER MNT", options->places, "Whose workspace, and where to mount it")
      .required()
      .values(1, 2);
  app.add_flag("--foreground", options->is_foreground,
               "Stay in the foreground and log to the standard error");
  app.add_flag("--ignore-own-rules", options->ignores_own_rules,
               "Leave out the person's own redirect rules, to correct them");
  app.add_flag("--export", options->is_exported,
               "Keep file handles valid over restarts, for an NFS server");
  app.add_option("--io-uring", options->io_uring,
                 "auto: use it where the kernel has it; off: never")
      .type_name("auto|off")
      .one_of({"auto", "off"});
  app.add_option("--threads", options->threads, "Threads that fetch contents from the repository")
      .type_name("N")
      .between(1, 64);
  app.add_option("--deadline", options->deadline_s, "How long a request waits for the repository")
      .type_name("SECONDS")
      .between(1, 3600);
  command.action = [options](Session& session) { return mount(session, *options); };
}

}  // namespace satchel::cli
