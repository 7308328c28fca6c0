#include "fs/core_lending.h"

#include <sched.h>

#include <atomic>
#include <thread>

namespace satchel::fs {

namespace {

thread_local bool has_lent = false;
std::atomic<unsigned> works_at_length = 0;

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
  if (works_at_length.load(std::memory_order_relaxed) > 0) {
    keep_core();
  } else if (!has_lent) {
    has_lent = set_policy(SCHED_IDLE);
  }
}

void keep_core() {
  if (has_lent) has_lent = !set_policy(SCHED_OTHER);
}

LongWork::LongWork() {
  works_at_length.fetch_add(1, std::memory_order_relaxed);
  keep_core();
}

LongWork::~LongWork() {
  works_at_length.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace satchel::fs
