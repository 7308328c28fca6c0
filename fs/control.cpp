#include "fs/control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <future>
#include <list>
#include <thread>

#include "base/file_io.h"
#include "base/guarded.h"

namespace satchel::fs {
namespace {

using std::chrono::milliseconds;
constexpr mode_t kSocketMode = 0600;
constexpr milliseconds kSignOfLife{5'000};
constexpr int kBacklog = 16;

/// A socket address is short and a store's path may be long, so the folder goes by its descriptor.
struct SocketPlace {
  UniqueFd folder;
  std::string name;
  sockaddr_un address{};
};

Result<SocketPlace> find_place(const HostPath& socket) {
  const std::size_t slash = socket.text.rfind('/');
  SATCHEL_ASSERT(slash != std::string::npos);
  SocketPlace place;
  place.name = socket.text.substr(slash + 1);
  const std::string folder = slash == 0 ? "/" : socket.text.substr(0, slash);
  place.folder = UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.folder.valid()) return errno_error(folder, "open the folder of the control socket");
  const std::string path = fmt::format("/proc/self/fd/{}/{}", place.folder.get(), place.name);
  place.address.sun_family = AF_UNIX;
  if (path.size() >= sizeof place.address.sun_path) {
    return Error{.code = ENAMETOOLONG, .path = socket.text};
  }
  std::memcpy(place.address.sun_path, path.c_str(), path.size() + 1);
  return place;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the socket API's own way
}

Result<ucred> peer_of(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return errno_error({}, "ask who connects");
  }
  return peer;
}

Result<void> send_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno_error({}, "write to the control socket");
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

/// True when there is something to read (or the end), false when the time is over.
Result<bool> wait_readable(int fd, milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready =
        ::poll(&polled, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return errno_error({}, "wait for the control socket");
    return ready > 0;
  }
}

ControlRequest to_line(const Error& error) {
  return {.verb = "error",
          .fields = {{"code", std::to_string(error.code)},
                     {"sat", std::to_string(static_cast<int>(error.sat))},
                     {"message", error.message},
                     {"path", error.path},
                     {"hint", error.hint}}};
}

Error to_error(const ControlRequest& line) {
  const auto number = [&](std::string_view key) {
    return static_cast<int>(
        std::strtol(std::string(find_field(line.fields, key)).c_str(), nullptr, 10));
  };
  const int code = number("code");
  return {.code = code == 0 ? EIO : code,
          .sat = static_cast<Sat>(number("sat")),
          .message = std::string(find_field(line.fields, "message")),
          .path = std::string(find_field(line.fields, "path")),
          .hint = std::string(find_field(line.fields, "hint"))};
}

}  // namespace

struct ControlServer::State {
  struct Connection {
    UniqueFd socket;
    std::atomic<bool> is_over = false;
    std::thread thread;
  };

  HostPath path;
  std::map<std::string, Handler> handlers;
  const Log* log = nullptr;
  UniqueFd listener;
  UniqueFd stop;
  std::thread acceptor;
  std::list<Connection> connections;  // the acceptor's own

  void accept_all();
  void accept_one();
  void drop_ended();
  void serve(int socket);
  Result<void> answer(int socket, std::string_view line);
  Result<ControlFields> run(int socket, const ControlRequest& request);
};

void ControlServer::State::accept_all() {
  for (;;) {
    std::array<pollfd, 2> polled{{{.fd = listener.get(), .events = POLLIN, .revents = 0},
                                  {.fd = stop.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;  // EINTR
    if (polled[1].revents != 0) break;
    accept_one();
  }
  // Ends those that wait for a request; an answer that is on its way is still written.
  for (Connection& connection : connections) ::shutdown(connection.socket.get(), SHUT_RD);
  for (Connection& connection : connections) connection.thread.join();
}

void ControlServer::State::accept_one() {
  UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.valid()) return;  // the other side has gone already
  drop_ended();
  const auto peer = peer_of(socket.get());
  const bool is_allowed = peer && (peer->uid == 0 || peer->uid == ::geteuid());
  if (!is_allowed || connections.size() >= kConnectionsMax) {
    log->warn("control_refused reason={}", is_allowed ? "too_many" : "not_owner");
    return;
  }
  Connection& connection = connections.emplace_back();
  connection.socket = std::move(socket);
  connection.thread = std::thread([this, &connection] {
    serve(connection.socket.get());
    connection.is_over.store(true);
  });
}

void ControlServer::State::drop_ended() {
  connections.remove_if([](Connection& connection) {
    if (!connection.is_over.load()) return false;
    connection.thread.join();
    return true;
  });
}

void ControlServer::State::serve(int socket) {
  std::string received;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    received.append(buffer.data(), static_cast<std::size_t>(size));
    for (std::size_t end = received.find('\n'); end != std::string::npos;
         end = received.find('\n')) {
      const std::string line = received.substr(0, end);
      received.erase(0, end + 1);
      if (!answer(socket, line)) return;  // nobody reads any more
    }
    if (received.size() > kControlLineBytesMax) break;
  }
  ::shutdown(socket, SHUT_RDWR);
}

Result<ControlFields> ControlServer::State::run(int socket, const ControlRequest& request) {
  const auto handler = handlers.find(request.verb);
  if (handler == handlers.end()) {
    return Error{.code = ENOSYS,
                 .sat = Sat::kTransport,
                 .message = fmt::format("unknown request \"{}\"", request.verb)};
  }
  auto result = std::async(std::launch::async, [&]() -> Result<ControlFields> {
    try {
      return handler->second(request);
    } catch (const std::exception& exception) {
      return Error{.code = EIO, .sat = Sat::kInternal, .message = exception.what()};
    }
  });
  while (result.wait_for(kSignOfLife) != std::future_status::ready) {
    // If the client has gone the order is carried out all the same.
    (void)send_all(socket, encode_control_line({.verb = "wait", .fields = {}}));
  }
  return result.get();
}

Result<void> ControlServer::State::answer(int socket, std::string_view line) {
  const auto request = decode_control_line(line);
  if (!request) return send_all(socket, encode_control_line(to_line(request.error())));
  log->debug("control verb={}", request->verb);
  const auto fields = run(socket, *request);
  if (!fields) return send_all(socket, encode_control_line(to_line(fields.error())));
  std::string text;
  for (const auto& field : *fields) {
    text += encode_control_line({.verb = "field", .fields = {field}});
  }
  return send_all(socket, text + encode_control_line({.verb = "ok", .fields = {}}));
}

ControlServer::ControlServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

ControlServer::~ControlServer() {
  const std::uint64_t one = 1;
  (void)!::write(state_->stop.get(), &one, sizeof one);  // an eventfd takes it
  state_->acceptor.join();
  (void)::unlink(state_->path.c_str());  // one that stays is replaced by the next mount
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const HostPath& socket,
                                                            std::map<std::string, Handler> handlers,
                                                            const Log& log) {
  SATCHEL_ASSIGN(const auto place, find_place(socket));
  auto state = std::make_unique<State>();
  state->path = socket;
  state->handlers = std::move(handlers);
  state->log = &log;
  state->listener = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  state->stop = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!state->listener.valid() || !state->stop.valid()) return errno_error({}, "make a socket");
  // Of a mount that crashed: the store's lock says that it is gone.
  if (::unlinkat(place.folder.get(), place.name.c_str(), 0) != 0 && errno != ENOENT) {
    return file_error(socket.text, "remove the old control socket");
  }
  // Before bind(2), so that there is no moment with a wider mode.
  if (::fchmod(state->listener.get(), kSocketMode) != 0 ||
      ::bind(state->listener.get(), as_sockaddr(place.address), sizeof place.address) != 0 ||
      ::listen(state->listener.get(), kBacklog) != 0) {
    return file_error(socket.text, "make the control socket");
  }
  state->acceptor = std::thread([raw = state.get()] { raw->accept_all(); });
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(state)));
}

Result<ControlClient> ControlClient::connect(const HostPath& socket) {
  const auto nobody = [&] {
    return Error{.code = ENOTCONN,
                 .sat = Sat::kNotAMount,
                 .message = "the mount's process does not answer",
                 .path = socket.text};
  };
  const auto place = find_place(socket);
  if (!place) return nobody();
  UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!connection.valid()) return errno_error({}, "make a socket");
  if (::connect(connection.get(), as_sockaddr(place->address), sizeof place->address) != 0) {
    if (errno == EACCES || errno == EPERM) return errno_error(socket.text, "connect");
    return nobody();
  }
  SATCHEL_ASSIGN(const ucred peer, peer_of(connection.get()));
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
  return ControlClient(std::move(connection), std::move(process), peer.pid);
}

Result<std::string> ControlClient::read_line(milliseconds silence) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const std::size_t end = received_.find('\n');
    if (end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    if (received_.size() > kControlReplyBytesMax) {
      return Error{.code = EMSGSIZE, .sat = Sat::kLimit, .message = "the answer is too long"};
    }
    SATCHEL_ASSIGN(const bool readable, wait_readable(connection_.get(), silence));
    if (!readable) {
      return Error{.code = ETIMEDOUT,
                   .sat = Sat::kTimeout,
                   .message = "the mount's process did not answer in time"};
    }
    const ssize_t size = ::recv(connection_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      return Error{
          .code = ENOTCONN, .sat = Sat::kTransport, .message = "the mount's process went away"};
    }
    received_.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

Result<ControlFields> ControlClient::call(const ControlRequest& request, milliseconds silence) {
  const std::string line = encode_control_line(request);
  if (line.size() > kControlLineBytesMax) {
    return Error{.code = EMSGSIZE, .sat = Sat::kLimit, .message = "the request is too long"};
  }
  if (!send_all(connection_.get(), line)) {
    return Error{
        .code = ENOTCONN, .sat = Sat::kTransport, .message = "the mount's process went away"};
  }
  ControlFields fields;
  std::size_t bytes = 0;
  for (;;) {
    SATCHEL_ASSIGN(const std::string text, read_line(silence));
    SATCHEL_ASSIGN(auto answer, decode_control_line(text));
    if (answer.verb == "ok") return fields;
    if (answer.verb == "error") return to_error(answer);
    bytes += text.size();
    if (bytes > kControlReplyBytesMax) {
      return Error{.code = EMSGSIZE, .sat = Sat::kLimit, .message = "the answer is too long"};
    }
    std::ranges::move(answer.fields, std::back_inserter(fields));
  }
}

Result<void> ControlClient::kill() {
  if (::syscall(SYS_pidfd_send_signal, process_fd_.get(), SIGKILL, nullptr, 0) == 0) return {};
  return errno_error({}, "kill the mount's process");
}

Result<void> ControlClient::wait_for_end(milliseconds deadline) {
  if (!process_fd_.valid()) return {};  // it had ended when we connected
  SATCHEL_ASSIGN(const bool ended, wait_readable(process_fd_.get(), deadline));
  if (ended) return {};
  return Error{.code = ETIMEDOUT,
               .sat = Sat::kTimeout,
               .message = fmt::format("process {} did not end in time", process_),
               .hint = fmt::format(
                   "`kill -9 {}` ends it, unless it waits in the kernel for a repository whose "
                   "server hangs: see to that server, or abort its mount",
                   process_)};
}

namespace {

Result<UniqueFd> open_mounts_folder(const HostPath& runtime_directory) {
  const std::string folder = runtime_directory.text + "/mounts";
  for (const std::string& path : {runtime_directory.text, folder}) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
      return file_error(path, "make the runtime folder");
    }
  }
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return file_error(folder, "open the runtime folder");
  return fd;
}

Result<HostPath> read_registration(const HostPath& runtime_directory, const std::string& device) {
  const std::string path = runtime_directory.text + "/mounts/" + device;
  std::array<char, 4096> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0 || static_cast<std::size_t>(size) == target.size()) {
    return Error{.code = ENOTCONN,
                 .sat = Sat::kNotAMount,
                 .message = "the mount's process is not known here",
                 .path = path,
                 .hint = "it may have been started by another user"};
  }
  return HostPath{std::string(target.data(), static_cast<std::size_t>(size))};
}

}  // namespace

Result<void> register_mount(const HostPath& runtime_directory, const std::string& device,
                            const HostPath& socket) {
  SATCHEL_ASSIGN(const auto folder, open_mounts_folder(runtime_directory));
  const std::string temporary = fmt::format("{}{}-{}", kTemporaryPrefix, ::getpid(), device);
  (void)::unlinkat(folder.get(), temporary.c_str(), 0);  // left by a process that crashed
  if (::symlinkat(socket.c_str(), folder.get(), temporary.c_str()) != 0 ||
      ::renameat(folder.get(), temporary.c_str(), folder.get(), device.c_str()) != 0) {
    return file_error(runtime_directory.text, "register the mount");
  }
  return {};
}

Result<void> unregister_mount(const HostPath& runtime_directory, const std::string& device,
                              const HostPath& socket) {
  SATCHEL_ASSIGN(const auto registered, read_registration(runtime_directory, device));
  if (registered != socket) return {};  // a newer mount has the number now
  const std::string path = runtime_directory.text + "/mounts/" + device;
  if (::unlink(path.c_str()) != 0) return file_error(path, "unregister the mount");
  return {};
}

Result<HostPath> find_control_socket(const HostPath& runtime_directory, const std::string& device) {
  return read_registration(runtime_directory, device);
}

}  // namespace satchel::fs
