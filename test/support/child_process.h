// Parts of a test that need a process of their own.
#pragma once

#include <sys/types.h>

#include <functional>

namespace satchel::test {

/// How a child ended.
struct ChildEnd {
  int exit_code = -1;      ///< -1: by a signal
  bool is_killed = false;  ///< by SIGKILL
};

/// TSan cannot follow a child that starts threads, if it was forked from a process with threads.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kChildMayStartThreads = false;
#else
inline constexpr bool kChildMayStartThreads = true;
#endif

/// fork(), once all other threads of this process sleep: a thread that allocates in that moment
/// would leave the allocator's lock held in the child, for the sanitizers' allocators do not follow
/// a fork.
pid_t fork_when_quiet();

/// Runs `work` in a forked child, whose exit code is its result; no destructor of the parent's
/// objects runs there. Other threads of this process do not exist in it.
ChildEnd run_in_child(const std::function<int()>& work);

}  // namespace satchel::test
