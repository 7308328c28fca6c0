#include "cli/interruption.h"

#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <atomic>

namespace satchel::cli {
namespace {

// A signal handler can reach nothing but globals; these are written before it is installed.
constexpr std::size_t kTextBytesMax = 1024;
std::array<char, kTextBytesMax> prepared_text{};
std::size_t prepared_bytes = 0;
std::atomic<bool> is_watched = false;
std::atomic<bool> has_come = false;

extern "C" void satchel_on_interruption(int /*signal*/) {
  has_come = true;
  if (is_watched) return;
  // A short write loses the text, not the exit code.
  (void)!::write(STDOUT_FILENO, prepared_text.data(), prepared_bytes);
  ::_exit(130);
}

}  // namespace

void exit_when_interrupted(const std::string& text) {
  prepared_bytes = std::min(text.size(), prepared_text.size());
  std::copy_n(text.begin(), prepared_bytes, prepared_text.begin());
  struct sigaction action {};
  action.sa_handler = satchel_on_interruption;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM}) (void)::sigaction(signal, &action, nullptr);
  // A reader that went away is an error of write(2), not the end.
  (void)::signal(SIGPIPE, SIG_IGN);
}

InterruptionWatch::InterruptionWatch() {
  is_watched = true;
}
InterruptionWatch::~InterruptionWatch() {
  is_watched = false;
}
bool InterruptionWatch::is_interrupted() {
  return has_come;
}

}  // namespace satchel::cli
