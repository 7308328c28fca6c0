#include "fs/notification_queue.h"

#include "fs/interruption.h"

namespace satchel::fs {

NotificationQueue::NotificationQueue(ForgetEntry forget_entry, ForgetInode forget_inode,
                                     ForgetInode forget_attributes)
    : forget_entry_(std::move(forget_entry)),
      forget_inode_(std::move(forget_inode)),
      forget_attributes_(std::move(forget_attributes)),
      thread_([this] { serve(); }) {}

NotificationQueue::~NotificationQueue() {
  stop();
  thread_.join();
}

void NotificationQueue::forget_entry(NodeId parent, const Name& name) {
  push({.node = parent, .name = name.text()});
}

void NotificationQueue::forget_inode(NodeId node) {
  push({.node = node, .name = std::nullopt});
}

void NotificationQueue::push(Notification notification) {
  {
    auto state = state_.lock();
    // The queue may wait for the very request that a serving thread is about to answer.
    if (!InterruptionScope::is_serving()) {
      changed_.wait(state.lock(),
                    [&] { return state->is_stopped || state->queue.size() < kQueueMax; });
    }
    if (state->is_stopped) return;
    state->queue.push_back(std::move(notification));
    ++state->arrived;
  }
  changed_.notify_all();
}

void NotificationQueue::drain() {
  auto state = state_.lock();
  const std::uint64_t wanted = state->arrived;
  changed_.wait(state.lock(), [&] { return state->is_stopped || state->sent >= wanted; });
}

void NotificationQueue::stop() {
  {
    auto state = state_.lock();
    state->is_stopped = true;
    state->queue.clear();
  }
  changed_.notify_all();
}

void NotificationQueue::serve() {
  for (;;) {
    Notification next;
    {
      auto state = state_.lock();
      changed_.wait(state.lock(), [&] { return state->is_stopped || !state->queue.empty(); });
      if (state->is_stopped) return;
      next = std::move(state->queue.front());
      state->queue.pop_front();
    }
    if (next.name) {
      forget_entry_(next.node, *next.name);
    } else {
      forget_inode_(next.node);
    }
    ++state_.lock()->sent;
    changed_.notify_all();
  }
}

}  // namespace satchel::fs
