#include "fs/mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <thread>

#include "base/file_io.h"
#include "base/random.h"
#include "fs/control.h"
#include "fs/core_lending.h"
#include "fs/detach.h"
#include "fs/fuse_ops.h"
#include "fs/kernel_backings.h"
#include "fs/mount_table.h"
#include "fs/notification_queue.h"

namespace satchel::fs {
namespace {

using std::chrono::milliseconds;
constexpr unsigned kThreadsMax = 16;
constexpr milliseconds kReadyDeadline{10'000};
constexpr milliseconds kRingDeadline{500};
constexpr milliseconds kPoll{1};
constexpr milliseconds kBusyGrace{200};
constexpr milliseconds kBusyPoll{20};
// Programs get this long to let go of a mount that is being taken away; requests that wait for the
// repository end by their own deadline.
constexpr milliseconds kReleaseGrace{2'000};
constexpr milliseconds kRequestGrace{45'000};
constexpr milliseconds kAnswerDeadline{10'000};
constexpr int kStaleMountsMax = 16;
constexpr unsigned kRingRequestsAll = 64;  // each holds a buffer of 1 MiB
constexpr unsigned kRingDepthMax = 8;

struct FreeArguments {
  void operator()(fuse_args* arguments) const {
    fuse_opt_free_args(arguments);
    delete arguments;  // NOLINT(cppcoreguidelines-owning-memory): unique_ptr's deleter
  }
};
using Arguments = std::unique_ptr<fuse_args, FreeArguments>;

struct DestroySession {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, DestroySession>;

// libfuse's log function has no user data. Mounts in one process share the log of the last one that
// started.
std::atomic<const Log*> fuse_log_target =
    nullptr;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void write_fuse_log(fuse_log_level level, const char* format, va_list arguments) {
  std::array<char, 512> line{};
  // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): libfuse has initialized it
  (void)std::vsnprintf(line.data(), line.size(), format, arguments);  // longer lines are cut
  const Log* const log = fuse_log_target.load();
  if (log == nullptr) return;
  std::string_view text(line.data());
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (level <= FUSE_LOG_ERR) {
    log->warn("libfuse message=\"{}\"", text);
  } else {
    log->debug("libfuse message=\"{}\"", text);
  }
}

Error mount_point_error(int code, const HostPath& place, std::string message, std::string hint) {
  return {.code = code,
          .sat = Sat::kMountPoint,
          .message = std::move(message),
          .path = place.text,
          .hint = std::move(hint)};
}

bool is_served(const MountedFilesystem& mounted, const HostPath& runtime_directory) {
  const auto socket = find_control_socket(runtime_directory, mounted.device);
  if (socket && ControlClient::connect(*socket)) return true;
  // No process that we know: ask the mount. Without a process the kernel answers at once, with
  // ECONNABORTED while it still takes the old connection down.
  struct statfs ignored {};
  return ::statfs(mounted.mount_point.c_str(), &ignored) == 0 ||
         (errno != ENOTCONN && errno != ECONNABORTED);
}

/// Takes away what crashed mounts left there. Errors: EBUSY/kMountPoint.
Result<void> clear_mount_point(const HostPath& place, const HostPath& runtime_directory,
                               const Log& log) {
  for (int i = 0; i < kStaleMountsMax; ++i) {
    SATCHEL_ASSIGN(const auto mounted, find_mounted_at(place));
    if (!mounted || mounted->type != kFilesystemType) return {};
    if (is_served(*mounted, runtime_directory)) {
      return mount_point_error(EBUSY, place, fmt::format("{} is mounted here", mounted->source),
                               "unmount it first, or use another directory");
    }
    log.info("stale_mount_removed source={}", mounted->source);
    if (const auto detached = detach_mount(place, DetachMode::kLazy); !detached) {
      return mount_point_error(detached.error().code, place,
                               "the mount of a crashed process cannot be removed",
                               "run `umount -l` as root");
    }
  }
  return mount_point_error(EBUSY, place, "too many mounts of crashed processes", "");
}

Result<void> check_mount_point(const HostPath& place, const HostPath& store) {
  struct stat stat {};
  if (::stat(place.c_str(), &stat) != 0) {
    return mount_point_error(
        errno, place,
        errno == ENOENT ? "the mount point does not exist" : "the mount point cannot be used",
        errno == ENOENT ? "make the directory first" : "");
  }
  if (!S_ISDIR(stat.st_mode)) {
    return mount_point_error(ENOTDIR, place, "the mount point is not a directory", "");
  }
  if (store.text == place.text || store.text.starts_with(place.text + "/")) {
    return mount_point_error(EINVAL, place, "the store lies below the mount point",
                             "mount somewhere else");
  }
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return Error{.code = errno,
                 .sat = Sat::kTransport,
                 .message = "FUSE is not available",
                 .path = "/dev/fuse",
                 .hint = errno == EACCES ? "its mode should be 0666, as udev sets it"
                                         : "load the kernel module fuse"};
  }
  return {};
}

/// The kernel takes rings. As root we allow it to.
bool allow_ring() {
  constexpr const char* kSwitch = "/sys/module/fuse/parameters/enable_uring";
  const UniqueFd file(::open(kSwitch, O_RDWR | O_CLOEXEC));
  const UniqueFd readable(file.valid() ? -1 : ::open(kSwitch, O_RDONLY | O_CLOEXEC));
  const int fd = file.valid() ? file.get() : readable.get();
  char value = 'N';
  if (fd < 0 || ::pread(fd, &value, 1, 0) != 1) return false;
  if (value == 'Y') return true;
  return file.valid() && ::pwrite(fd, "Y", 1, 0) == 1;
}

/// Session options for the io_uring transport; empty where it cannot be had.
std::string ring_options(TransportChoice choice) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  if (choice == TransportChoice::kDevFuse || !allow_ring()) return "";
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned depth = std::clamp(kRingRequestsAll / cores, 1U, kRingDepthMax);
  return fmt::format(",io_uring,io_uring_q_depth={}", depth);
#else
  (void)choice;  // libfuse 3.17 knows no ring
  return "";
#endif
}

Arguments make_arguments(const MountOptions& options) {
  std::string list =
      fmt::format("fsname={}{},subtype=satchel,default_permissions", kSourcePrefix, options.name);
  // As on any filesystem of the system's own; others' mounts stay without suid, devices and other
  // users.
  if (::geteuid() == 0) list += ",allow_other,suid,dev";
  if (options.is_read_only) list += ",ro";
  list += ring_options(options.transport);
  Arguments arguments(new fuse_args{});
  const bool added = fuse_opt_add_arg(arguments.get(), "satchel") == 0 &&
                     fuse_opt_add_arg(arguments.get(), "-o") == 0 &&
                     fuse_opt_add_arg(arguments.get(), list.c_str()) == 0;
  if (!added) throw std::bad_alloc();
  return arguments;
}

/// Ready when a stop signal that this process has blocked comes; invalid if they are not blocked.
UniqueFd open_signals() {
  sigset_t blocked;
  sigemptyset(&blocked);
  (void)::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);  // only asks
  if (sigismember(&blocked, SIGTERM) == 0) return {};
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, number);
  return UniqueFd(::signalfd(-1, &wanted, SFD_CLOEXEC));
}

std::uint32_t random_generation() {
  SystemRandom random;
  return static_cast<std::uint32_t>(random.number());
}

template <typename Condition>
bool wait_until(milliseconds deadline, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

}  // namespace

struct Mount::State {
  State(View& viewed, MountOptions given, const Log& to)
      : view(viewed),
        options(std::move(given)),
        log(to),
        shared{.view = viewed,
               .log = to,
               .is_exported = options.is_exported,
               .generation = options.is_exported ? 0 : random_generation()} {}

  Result<void> start();
  Result<void> wait_until_usable();
  void run_loop();
  void start_passthrough();
  void take_away();
  void wait_for_end();
  void end_session();
  bool is_still_mounted() const;

  View& view;
  MountOptions options;
  const Log& log;
  ServedView shared;
  Session session;
  std::unique_ptr<NotificationQueue> notifications;
  std::unique_ptr<KernelBackings> backings;
  bool passes = false;
  UniqueFd wake;  // eventfd: the loop has ended, or stop() was called
  std::atomic<bool> is_stopping = false;
  std::atomic<bool> has_ended = false;
  bool is_over = false;  // serve() has done its work
  std::thread loop;
  std::string device;
};

void Mount::State::run_loop() {
  fuse_loop_config* const config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_max_threads(config, kThreadsMax);
  fuse_loop_cfg_set_clone_fd(config, 1);
  const int result = fuse_session_loop_mt(session.get(), config);
  fuse_loop_cfg_destroy(config);
  if (result < 0) log.error("session_ended error={}", -result);
  if (options.when_unmounted) options.when_unmounted();
  has_ended.store(true);
  const std::uint64_t one = 1;
  (void)!::write(wake.get(), &one, sizeof one);  // an eventfd takes it
}

Result<void> Mount::State::wait_until_usable() {
  const bool ready = wait_until(kReadyDeadline, [&] { return shared.is_ready || has_ended; });
  if (!ready || has_ended) {
    return Error{.code = EIO, .sat = Sat::kTransport, .message = "the kernel refused the session"};
  }
  const bool has_ring = !ring_options(options.transport).empty();
  struct statfs ignored {};
  const auto answers = [&] {
    return ::statfs(options.mount_point.c_str(), &ignored) == 0 || has_ended;
  };
  if (!wait_until(kReadyDeadline, answers) || has_ended) {
    return Error{.code = EIO, .sat = Sat::kTransport, .message = "the mount does not answer"};
  }
  // The first requests come by /dev/fuse until every core's queue has been registered.
  if (has_ring &&
      !wait_until(kRingDeadline, [&] { return !answers() || shared.ring_requests.load() > 0; })) {
    log.warn("io_uring_unavailable, requests come by /dev/fuse");
  }
  return {};
}

Result<void> Mount::State::start() {
  fuse_log_target.store(&log);
  fuse_set_log_func(write_fuse_log);
  // Comes when somebody wants what a lease of ours is on (Upper::has_writers), and would end us.
  (void)::signal(SIGIO, SIG_IGN);  // fails for bad numbers only
  wake = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!wake.valid()) return errno_error({}, "make an eventfd");
  const Arguments arguments = make_arguments(options);
  session.reset(
      fuse_session_new(arguments.get(), &fuse_operations(), sizeof(fuse_lowlevel_ops), &shared));
  if (!session) {
    return Error{.code = EIO, .sat = Sat::kTransport, .message = "libfuse refused the options"};
  }
  errno = 0;
  if (fuse_session_mount(session.get(), options.mount_point.c_str()) != 0) {
    return mount_point_error(errno == 0 ? EPERM : errno, options.mount_point, "cannot mount here",
                             "mount as root, or install fuse3");
  }
  notifications = std::make_unique<NotificationQueue>(
      [raw = session.get()](NodeId parent, const std::string& name) {
        // ENOENT: the kernel does not remember it. ENODEV: the mount is gone.
        (void)fuse_lowlevel_notify_inval_entry(raw, static_cast<fuse_ino_t>(parent), name.c_str(),
                                               name.size());
      },
      [raw = session.get()](NodeId node) {
        (void)fuse_lowlevel_notify_inval_inode(raw, static_cast<fuse_ino_t>(node), 0,
                                               0);  // as above
      },
      [raw = session.get()](NodeId node) {
        // A negative offset: no pages. As above.
        (void)fuse_lowlevel_notify_inval_inode(raw, static_cast<fuse_ino_t>(node), -1, 0);
      });
  view.set_notifier(notifications.get());
  shared.lends_cores = can_lend_core();
  loop = std::thread([this] { run_loop(); });
  SATCHEL_TRY(wait_until_usable());
  start_passthrough();
  SATCHEL_ASSIGN(const auto mounted, find_mounted_at(options.mount_point));
  if (!mounted) return Error{.code = EIO, .sat = Sat::kTransport, .message = "the mount is gone"};
  device = mounted->device;
  return register_mount(options.runtime_directory, device, options.control_socket);
}

// Who may not is told so once, here, and not at each file.
void Mount::State::start_passthrough() {
  if (!shared.takes_backings) return;
  backings = std::make_unique<KernelBackings>(fuse_session_fd(session.get()));
  const UniqueFd probe(::open(options.store.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  const auto registered =
      probe.valid() ? backings->add(probe.get()) : Result<BackingId>(Error{.code = errno});
  if (!registered) {
    log.info("passthrough_unavailable errno={}", registered.error().code);
    return;
  }
  backings->remove(*registered);
  view.set_backings(backings.get());
  passes = true;
}

bool Mount::State::is_still_mounted() const {
  const auto mounted = find_mounted_at(options.mount_point);
  return mounted && *mounted && (*mounted)->type == kFilesystemType &&
         (device.empty() || (*mounted)->device == device);
}

void Mount::State::take_away() {
  if (!is_still_mounted()) return;
  if (detach_mount(options.mount_point, DetachMode::kClean)) return;
  // In use, so that programs lose it.
  if (const auto detached = detach_mount(options.mount_point, DetachMode::kLazy); !detached) {
    log.debug("unmount_left_to_libfuse errno={}", detached.error().code);
  }
}

void Mount::State::end_session() {
  take_away();
  if (!wait_until(kReleaseGrace, [&] { return has_ended.load(); })) {
    log.info("connection_cut");
    fuse_session_exit(session.get());
  }
  if (!wait_until(kRequestGrace, [&] { return has_ended.load(); })) {
    // A handler is stuck for good. What was acknowledged is on disk, and the next mount recovers.
    log.error("session_stuck, the process ends");
    log.flush();
    ::_exit(describe(Sat::kTransport).exit_code);
  }
  loop.join();
  view.set_notifier(nullptr);
  view.set_backings(nullptr);
  notifications.reset();
  fuse_session_unmount(session.get());
  if (is_still_mounted()) take_away();  // the connection was aborted from outside
}

void Mount::State::wait_for_end() {
  const UniqueFd signals = open_signals();
  while (!is_stopping && !has_ended) {
    std::array<pollfd, 2> polled{{{.fd = wake.get(), .events = POLLIN, .revents = 0},
                                  {.fd = signals.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(polled.data(), signals.valid() ? 2 : 1, -1) < 0) continue;  // EINTR
    if (polled[1].revents != 0) {
      log.info("stop_signal");
      is_stopping = true;
    }
  }
}

Mount::Mount(std::unique_ptr<State> state) : state_(std::move(state)) {}

Mount::~Mount() {
  if (state_->is_over) return;
  stop();
  if (const auto result = serve(); !result) {
    state_->log.error("sync_at_end_failed error=\"{}\"", to_text(result.error()));
  }
}

Result<std::unique_ptr<Mount>> Mount::start(View& view, const MountOptions& options,
                                            const Log& log) {
  MountOptions resolved = options;
  const auto place = resolve_mount_point(options.mount_point);
  if (!place) {
    return mount_point_error(place.error().code, options.mount_point,
                             "the mount point does not exist", "make the directory first");
  }
  resolved.mount_point = *place;
  SATCHEL_TRY(clear_mount_point(resolved.mount_point, resolved.runtime_directory, log));
  SATCHEL_TRY(check_mount_point(resolved.mount_point, resolved.store));
  auto state = std::make_unique<State>(view, std::move(resolved), log);
  const auto started = state->start();
  if (!started) {
    if (state->loop.joinable()) state->end_session();
    return started.error();
  }
  const auto status_transport = state->shared.ring_requests.load() > 0 ? "io_uring" : "dev_fuse";
  log.info("mounted name={} device={} transport={}", options.name, state->device, status_transport);
  return std::unique_ptr<Mount>(new Mount(std::move(state)));
}

Result<void> Mount::serve() {
  state_->wait_for_end();
  state_->is_over = true;
  const auto early = state_->view.sync_all();  // the bulk, while programs can still work
  if (!early) state_->log.warn("sync_failed error=\"{}\"", to_text(early.error()));
  state_->end_session();
  const auto registered = unregister_mount(state_->options.runtime_directory, state_->device,
                                           state_->options.control_socket);
  if (!registered) state_->log.debug("unregister_failed");
  SATCHEL_TRY(state_->view.sync_all());
  state_->log.info("unmounted name={}", state_->options.name);
  return {};
}

void Mount::stop() {
  state_->is_stopping = true;
  const std::uint64_t one = 1;
  (void)!::write(state_->wake.get(), &one, sizeof one);  // an eventfd takes it
}

void Mount::abort() {
  state_->log.warn("aborted name={}", state_->options.name);
  state_->log.flush();
  (void)detach_mount(state_->options.mount_point, DetachMode::kLazy);  // best effort
  ::_exit(describe(Sat::kTransport).exit_code);
}

void Mount::drain_notifications() {
  if (state_->notifications) state_->notifications->drain();
}

Mount::Status Mount::status() const {
  return {.transport = state_->shared.ring_requests.load() > 0 ? "io_uring" : "dev_fuse",
          .passes = state_->passes,
          .requests = state_->shared.requests.list(),
          .device = state_->device,
          .mount_point = state_->options.mount_point};
}

namespace {

/// "0:57": the kernel names a connection by the number after the colon.
Result<void> abort_connection(const std::string& device) {
  const std::string path =
      fmt::format("/sys/fs/fuse/connections/{}/abort", device.substr(device.find(':') + 1));
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), "1", 1) != 1) return errno_error(path, "abort");
  return {};
}

Error unmount_error(const MountedFilesystem& mounted, int code) {
  if (code == EBUSY) {
    return mount_point_error(EBUSY, mounted.mount_point, "programs are using it",
                             "end them, or unmount with --lazy");
  }
  errno = code;
  return errno_error(mounted.mount_point.text, "unmount");
}

/// A df(1) that passes by holds a mount for a moment: that alone is not "in use".
Result<void> detach_patiently(const HostPath& mount_point, DetachMode mode) {
  const auto end = std::chrono::steady_clock::now() + kBusyGrace;
  for (;;) {
    auto detached = detach_mount(mount_point, mode);
    const bool is_busy = !detached && detached.error().code == EBUSY;
    if (!is_busy || std::chrono::steady_clock::now() >= end) return detached;
    std::this_thread::sleep_for(kBusyPoll);
  }
}

/// Without its mount nobody would find a process that is stopped, and it would keep the store.
Result<void> require_answer(const MountedFilesystem& mounted, ControlClient& process,
                            milliseconds silence) {
  const auto answer = process.call({.verb = "ping", .fields = {}}, silence);
  // Any other error is an answer too, or the end of the process.
  if (answer || answer.error().code != ETIMEDOUT) return {};
  return Error{
      .code = ETIMEDOUT,
      .sat = Sat::kTimeout,
      .message = fmt::format("process {} does not answer, so the mount stays", process.process()),
      .path = mounted.mount_point.text,
      .hint = "`satchel umount --abort` ends it: what was fsynced is safe"};
}

Result<void> take_away_at(const MountedFilesystem& mounted, UnmountMode mode,
                          std::optional<ControlClient>& process) {
  const bool is_clean = mode == UnmountMode::kClean && process;
  const auto detached =
      detach_patiently(mounted.mount_point, is_clean ? DetachMode::kClean : DetachMode::kLazy);
  if (detached) {
    if (mode == UnmountMode::kLazy && process) {
      // Else it would serve for as long as a program has something open.
      (void)process->call({.verb = "stop", .fields = {}}, kAnswerDeadline);
    }
    return {};
  }
  const int code = detached.error().code;
  if (code == EINVAL) return {};  // it went meanwhile
  if (code != EPERM || !process) return unmount_error(mounted, code);
  SATCHEL_TRY(process->call({.verb = "stop", .fields = {}}, kAnswerDeadline));
  return {};
}

}  // namespace

Result<void> unmount(const HostPath& mount_point, const HostPath& runtime_directory,
                     UnmountMode mode, milliseconds deadline) {
  SATCHEL_ASSIGN(const auto mounted, find_satchel_mount(mount_point));
  std::optional<ControlClient> process;
  if (const auto socket = find_control_socket(runtime_directory, mounted.device)) {
    if (auto client = ControlClient::connect(*socket)) process.emplace(std::move(*client));
  }
  if (mode == UnmountMode::kAbort) {
    // It ends without an answer; one that cannot even do that is cut off by the kernel and killed.
    if (process) (void)process->call({.verb = "abort", .fields = {}}, std::chrono::seconds(2));
    (void)abort_connection(mounted.device);
    if (process) (void)process->kill();
  } else if (process) {
    SATCHEL_TRY(
        require_answer(mounted, *process, std::min<milliseconds>(deadline, kAnswerDeadline)));
  }
  const auto still = find_satchel_mount(mount_point);
  if (still && still->device == mounted.device) {
    SATCHEL_TRY(take_away_at(mounted, mode, process));
  }
  return process ? process->wait_for_end(deadline) : Result<void>();
}

}  // namespace satchel::fs
