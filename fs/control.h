// The mount's control socket: asks and orders that never touch the mount itself. docs/protocol.md,
// "Control".
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/path.h"
#include "base/unique_fd.h"

namespace satchel::fs {

/// Keys and values in order; a key may occur several times. Values are any bytes.
using ControlFields = std::vector<std::pair<std::string, std::string>>;
/// The first value of `key`; empty if there is none.
std::string_view find_field(const ControlFields& fields, std::string_view key);

struct ControlRequest {
  std::string verb;  ///< [a-z_]{1,32}
  ControlFields fields;
  friend bool operator==(const ControlRequest&, const ControlRequest&) = default;
};

inline constexpr std::size_t kControlLineBytesMax = 16U << 10U;
inline constexpr std::size_t kControlReplyBytesMax = 16U << 20U;

/// One line: `verb key=value …\n`, what is not plain in a value as %XX.
std::string encode_control_line(const ControlRequest& line);
/// Takes any bytes (without the newline). Errors: EINVAL/kTransport.
Result<ControlRequest> decode_control_line(std::string_view line);

/// Runs the orders: each connection on a thread of its own, at most kConnectionsMax. Serves the
/// socket's owner and root only.
class ControlServer {
 public:
  static constexpr std::size_t kConnectionsMax = 32;
  using Handler = std::function<Result<ControlFields>(const ControlRequest&)>;

  /// Makes the socket anew (0600). Handlers are called from any thread and may take long. Errors:
  /// EACCES, ENOSPC, EROFS.
  static Result<std::unique_ptr<ControlServer>> start(const HostPath& socket,
                                                      std::map<std::string, Handler> handlers,
                                                      const Log& log);
  /// Waits for handlers that run; then removes the socket.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  struct State;
  explicit ControlServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A connection to a mount's process. Not thread-safe.
class ControlClient {
 public:
  /// Errors: ENOTCONN/kNotAMount (nobody listens there), EACCES.
  static Result<ControlClient> connect(const HostPath& socket);

  /// The answer, or the Error that the handler answered with. `silence`: how long the process may
  /// say nothing; while it works it says so every few seconds. Errors besides: ETIMEDOUT/kTimeout,
  /// ENOTCONN/kTransport (it went away).
  Result<ControlFields> call(const ControlRequest& request, std::chrono::milliseconds silence);
  /// The process on the other side.
  [[nodiscard]] pid_t process() const { return process_; }
  /// SIGKILL, for a process that does not do what it is asked. Errors: ESRCH, EPERM.
  Result<void> kill();
  /// Returns once that process has ended. Errors: ETIMEDOUT/kTimeout.
  Result<void> wait_for_end(std::chrono::milliseconds deadline);

 private:
  ControlClient(UniqueFd connection, UniqueFd process_fd, pid_t process)
      : connection_(std::move(connection)), process_fd_(std::move(process_fd)), process_(process) {}
  Result<std::string> read_line(std::chrono::milliseconds silence);
  UniqueFd connection_;
  UniqueFd process_fd_;
  pid_t process_;
  std::string received_;
};

/// Lets find_control_socket() find the socket of the mount with this device number; an older entry
/// is replaced. Makes `runtime_directory`.
Result<void> register_mount(const HostPath& runtime_directory, const std::string& device,
                            const HostPath& socket);
/// Errors: ENOENT.
Result<void> unregister_mount(const HostPath& runtime_directory, const std::string& device,
                              const HostPath& socket);
/// Errors: ENOTCONN/kNotAMount.
Result<HostPath> find_control_socket(const HostPath& runtime_directory, const std::string& device);

}  // namespace satchel::fs
