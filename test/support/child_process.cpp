#include "test/support/child_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace satchel::test {
namespace {

bool others_sleep() {
  const std::string own = std::to_string(::gettid());
  std::error_code ignored;  // a thread may end meanwhile
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    if (task.path().filename() == own) continue;
    std::ifstream file(task.path() / "stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(')');  // "tid (name) state …"
    if (name_end != std::string::npos && text.compare(name_end, 3, ") S") != 0) return false;
  }
  return true;
}

}  // namespace

pid_t fork_when_quiet() {
  constexpr int kQuietMax = 3;  // looks in a row
  constexpr int kLooksMax = 5000;
  for (int quiet = 0, looks = 0; quiet < kQuietMax && looks < kLooksMax; ++looks) {
    quiet = others_sleep() ? quiet + 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ::fork();
}

ChildEnd run_in_child(const std::function<int()>& work) {
  const pid_t child = fork_when_quiet();
  if (child == 0) ::_exit(work());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return {};
  if (WIFEXITED(status)) return {.exit_code = WEXITSTATUS(status)};
  return {.is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL};
}

}  // namespace satchel::test
