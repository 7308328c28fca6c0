// Who answers a request stands on the core of who asked, and lets that one have it back at once.
#pragma once

#include <cstdint>

namespace satchel::fs {

/// To free more blocks than this, of 512 bytes, may take longer than a scheduler's tick.
inline constexpr std::uint64_t kLongWorkBlocks = 2048;

/// Whether threads of this process can lend their core and take it back: root's can, others' by
/// RLIMIT_NICE. Not if the process was given a policy of another kind. Starts a thread, to try.
bool can_lend_core();

/// The calling thread, which serves a ring, runs as SCHED_IDLE from here on, unless there is
/// LongWork.
///
/// libfuse binds the thread of each ring to a core, and the kernel gives it the requests of callers
/// on that core. When it answers, its core is busy with the answer, so the kernel wakes the caller
/// on another one if that is idle: after an interrupt between the two, and out of a sleep that in a
/// virtual machine takes tens of microseconds to leave; and the next request comes from there. But
/// a core that runs SCHED_IDLE threads alone counts as free (sched_idle_cpu() in Linux's
/// kernel/sched/fair.c): the caller wakes where it was, and takes the core.
void lend_core();

/// The calling thread runs as SCHED_OTHER again, until it lends its core the next time; one that
/// has not lent it goes on as it is. To be called before long work: beside others a SCHED_IDLE
/// thread soon gets 3 parts in 1,027 of a core, and threads that it starts inherit that.
void keep_core();

/// While one lives, this process works at length, on whatever thread: nobody lends a core, or the
/// threads of rings would get what the work leaves of the process's share. The calling thread keeps
/// its core.
class LongWork {
 public:
  LongWork();
  ~LongWork();
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;
};

}  // namespace satchel::fs
