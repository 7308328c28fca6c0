#include "fs/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/encoding.h"
#include "base/file_io.h"
#include "base/unique_fd.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kReportBytesMax = 64U << 10U;
constexpr std::size_t kTextBytesMax = 8U << 10U;
constexpr int kReapDeadlineMs = 15'000;
constexpr std::uint8_t kUsable = 0;
constexpr std::uint8_t kFailed = 1;

std::vector<std::byte> encode_report(const Error& error) {
  const auto bounded = [](const std::string& text) {
    return std::string_view(text).substr(0, kTextBytesMax);
  };
  ByteWriter out;
  out.put_u8(kFailed)
      .put_u32(static_cast<std::uint32_t>(error.code))
      .put_u32(static_cast<std::uint32_t>(error.sat))
      .put_text(bounded(error.message))
      .put_text(bounded(error.path))
      .put_text(bounded(error.hint));
  return out.take();
}

Result<void> decode_report(Bytes report) {
  ByteReader in(report);
  SATCHEL_ASSIGN(const std::uint8_t kind, in.get_u8());
  if (kind == kUsable) return {};
  SATCHEL_ASSIGN(const std::uint32_t code, in.get_u32());
  SATCHEL_ASSIGN(const std::uint32_t sat, in.get_u32());
  SATCHEL_ASSIGN(const auto message, in.get_text(kTextBytesMax));
  SATCHEL_ASSIGN(const auto path, in.get_text(kTextBytesMax));
  SATCHEL_ASSIGN(const auto hint, in.get_text(kTextBytesMax));
  return Error{.code = static_cast<int>(code),
               .sat = static_cast<Sat>(sat),
               .message = std::string(message),
               .path = std::string(path),
               .hint = std::string(hint)};
}

/// All that comes until the other end is closed.
std::vector<std::byte> read_report(int pipe) {
  std::vector<std::byte> report;
  std::array<std::byte, 4096> buffer{};
  while (report.size() < kReportBytesMax) {
    const ssize_t size = ::read(pipe, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    report.insert(report.end(), buffer.begin(), buffer.begin() + size);
  }
  return report;
}

void send_report(UniqueFd& pipe, Bytes report) {
  while (!report.empty()) {
    const ssize_t size = ::write(pipe.get(), report.data(), report.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;  // the parent is gone, so nobody wants to know
    report = report.subspan(static_cast<std::size_t>(size));
  }
  pipe.reset();
}

void leave_terminal() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null.valid()) (void)::dup2(null.get(), fd);  // cannot fail for descriptors that are open
  }
  if (::chdir("/") != 0) return;  // then some other directory stays busy: no harm
}

[[noreturn]] void run_child(const std::function<Result<void>(const StartReport& report)>& body,
                            UniqueFd pipe) {
  (void)::setsid();  // fails only for a group leader, which a fresh child is not
  (void)::signal(SIGPIPE, SIG_IGN);
  block_stop_signals();
  const auto report = [&](const Result<void>& started) {
    if (!pipe.valid()) return;
    if (!started) return send_report(pipe, encode_report(started.error()));
    leave_terminal();
    const std::array<std::byte, 1> usable{std::byte{kUsable}};
    send_report(pipe, usable);
  };
  const auto result = body(report);
  if (!result) report(result);
  ::_exit(result ? 0 : exit_code_of(result.error()));
}

/// The failed child ends soon. One that cannot, because a thread of it waits in the kernel, is left
/// to its fate.
void reap(pid_t child) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd polled{.fd = process.get(), .events = POLLIN, .revents = 0};
  if (process.valid()) (void)::poll(&polled, 1, kReapDeadlineMs);  // early: it becomes init's
  (void)::waitpid(child, nullptr, WNOHANG);
}

Error died(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return {.code = EIO,
          .sat = Sat::kInternal,
          .message = WIFSIGNALED(status)
                         ? fmt::format("the mount's process died by signal {}", WTERMSIG(status))
                         : fmt::format("the mount's process ended early with exit code {}",
                                       WEXITSTATUS(status)),
          .hint = "see the store's satchel.log"};
}

}  // namespace

void block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  (void)::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // cannot fail with these arguments
}

Result<pid_t> start_daemon(const std::function<Result<void>(const StartReport& report)>& body) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error({}, "make a pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return errno_error({}, "start a process");
  if (child == 0) {
    reader.reset();
    run_child(body, std::move(writer));
  }
  writer.reset();
  const auto report = read_report(reader.get());
  if (report.empty()) return died(child);
  if (auto result = decode_report(report); !result) {
    reap(child);
    return std::move(result).error();
  }
  return child;
}

}  // namespace satchel::fs
