// A view mounted in this process: session, transport, start and end.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/path.h"
#include "fs/view.h"

namespace satchel::fs {

enum class TransportChoice : std::uint8_t {
  kAuto,  ///< io_uring where libfuse and the kernel have it; as root it is switched on in the
          ///< kernel
  kDevFuse,
};

struct MountOptions {
  HostPath mount_point;
  std::string name;            ///< shown as "satchel:NAME": StoreSlot::folder()
  HostPath store;              ///< may not lie below the mount point; absolute
  HostPath control_socket;     ///< registered, so that find_control_socket() finds it; absolute
  HostPath runtime_directory;  ///< "/run/satchel"
  bool is_read_only = false;
  bool is_exported = false;  ///< the view finds nodes again: it has ViewContext::nodes
  TransportChoice transport = TransportChoice::kAuto;
  /// Called once, from a thread of the mount's, when the kernel has let it go: the rest of what
  /// serve() does may take long.
  std::function<void()> when_unmounted = {};
};

/// Serves a view to the kernel from threads of its own, from start() until the mount is gone.
///
/// The kernel is told when the view changes by itself (base switch), by a thread that holds no
/// lock. Whatever ends the mount (umount(8), stop(), a stop signal), the view is synced before
/// serve() returns. Thread-safe; the view must live longer.
class Mount {
 public:
  /// Mounts and returns once requests are answered. A mount that a crashed process left there is
  /// taken away first. Errors, all kMountPoint: ENOENT, ENOTDIR, EACCES, EBUSY (a living Satchel
  /// mount is there), EINVAL (the store is below it); and kTransport: ENODEV (no /dev/fuse), EPERM,
  /// EIO.
  static Result<std::unique_ptr<Mount>> start(View& view, const MountOptions& options,
                                              const Log& log);
  /// As stop() and serve().
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  /// Waits until somebody unmounts, stop() is called or, if block_stop_signals() was called before
  /// any other thread started, a stop signal comes; unmounts what is still mounted (programs that
  /// use it get ENOTCONN) and syncs the view. Errors: those of View::sync_all().
  Result<void> serve();
  /// Makes serve() end. From any thread.
  void stop();
  /// Takes the mount away at once and ends this process, without waiting for requests or syncing:
  /// what was acknowledged by fsync is safe, and the next mount recovers the rest. For a mount that
  /// is stuck.
  [[noreturn]] void abort();

  /// Returns once the kernel has been told of all changes so far. Not from a thread that serves
  /// requests.
  void drain_notifications();

  struct Status {
    std::string_view transport;  ///< "io_uring" or "dev_fuse": what the requests really came by
    bool passes = false;         ///< the kernel reads and writes whole files by itself
    std::vector<std::pair<std::string_view, std::uint64_t>> requests;
    std::string device;  ///< "0:57"
    HostPath mount_point;
  };
  [[nodiscard]] Status status() const;

 private:
  struct State;
  explicit Mount(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

enum class UnmountMode : std::uint8_t {
  kClean,  ///< refused with EBUSY while programs use it
  kLazy,   ///< gone from the tree of files at once; programs that use it lose it
  kAbort,  ///< as Mount::abort(); a process that cannot even do that is killed
};

/// Unmounts and waits until the mount's process has ended, so that its store is free. A mount
/// without a process is taken away in any mode; one whose process does not answer stays, but for
/// kAbort, so that it can be aborted later. Errors: kNotAMount, EBUSY/kMountPoint, EPERM,
/// ETIMEDOUT/kTimeout.
Result<void> unmount(const HostPath& mount_point, const HostPath& runtime_directory,
                     UnmountMode mode, std::chrono::milliseconds deadline);

}  // namespace satchel::fs
