#include "fs/core_lending.h"

#include <sched.h>

#include <thread>

namespace satchel::fs {

namespace {

thread_local bool has_lent = false;

bool set_policy(int policy) {
  const sched_param no_priority{};
  return ::sched_setscheduler(0, policy, &no_priority) == 0;  // 0: the calling thread
}

}  // namespace

bool can_lend_core() {
  if (::sched_getscheduler(0) != SCHED_OTHER) return false;
  bool can = false;
  std::thread([&] { can = set_policy(SCHED_IDLE) && set_policy(SCHED_OTHER); }).join();
  return can;
}

void lend_core() {
  if (!has_lent) has_lent = set_policy(SCHED_IDLE);
}

void keep_core() {
  if (has_lent) has_lent = !set_policy(SCHED_OTHER);
}

}  // namespace satchel::fs
