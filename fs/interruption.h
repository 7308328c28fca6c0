// Lets a wait deep below a request learn that the caller has given up.
#pragma once

#include <sys/types.h>

namespace satchel::fs {

/// A signal that ends `thread` has come, though it may still wait in the kernel, or other threads
/// of its process may; or it is gone. Of any process; false if /proc cannot say.
bool is_dying(pid_t thread);

/// While it lives, waits on this thread ask `is_interrupted(context)` now and then, and leave with
/// EINTR once it says so. Scopes nest; the innermost one counts. Bound to the thread that made it.
class InterruptionScope {
 public:
  using Question = bool (*)(void* context);
  InterruptionScope(Question question, void* context);
  ~InterruptionScope();
  InterruptionScope(const InterruptionScope&) = delete;
  InterruptionScope& operator=(const InterruptionScope&) = delete;

  /// False where no scope stands.
  static bool is_interrupted();
  /// A scope stands: this thread serves a request of the kernel's.
  static bool is_serving();

 private:
  Question question_;
  void* context_;
  InterruptionScope* outer_;
};

}  // namespace satchel::fs
