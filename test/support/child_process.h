// Parts of a test that need a process of their own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

namespace satchel::test {

/// How a child ended.
struct ChildEnd {
  int exit_code = -1;      ///< -1: by a signal
  bool is_killed = false;  ///< by SIGKILL
};

/// Runs `work` in a forked child, whose exit code is its result; no destructor of the parent's
/// objects runs there. Other threads of this process do not exist in it.
inline ChildEnd run_in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return {};
  if (WIFEXITED(status)) return {.exit_code = WEXITSTATUS(status)};
  return {.is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL};
}

}  // namespace satchel::test
