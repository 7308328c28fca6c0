// Carries what the kernel must forget to a thread that holds no lock.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/guarded.h"
#include "fs/view.h"

namespace satchel::fs {

/// A notification to the kernel waits for requests that hold the same directory, so it is sent from
/// a thread of its own, in the order of arrival. A caller that serves no request itself waits while
/// kQueueMax are queued; one that does never waits. Thread-safe.
class NotificationQueue final : public KernelNotifier {
 public:
  static constexpr std::size_t kQueueMax = 16'384;
  using ForgetEntry = std::function<void(NodeId parent, const std::string& name)>;
  using ForgetInode = std::function<void(NodeId node)>;

  /// The functions are called from the queue's thread, but for `forget_attributes`, which waits for
  /// nobody and is called at once.
  NotificationQueue(ForgetEntry forget_entry, ForgetInode forget_inode,
                    ForgetInode forget_attributes);
  ~NotificationQueue() override;
  NotificationQueue(const NotificationQueue&) = delete;
  NotificationQueue& operator=(const NotificationQueue&) = delete;

  void forget_entry(NodeId parent, const Name& name) override;
  void forget_inode(NodeId node) override;
  void forget_attributes(NodeId node) override { forget_attributes_(node); }
  /// Returns once everything queued before has been sent, or the queue was stopped. Not for threads
  /// that serve requests.
  void drain();
  /// Drops what is queued and takes nothing more.
  void stop();

 private:
  struct Notification {
    NodeId node{};
    std::optional<std::string> name;
  };
  struct State {
    std::deque<Notification> queue;
    std::uint64_t arrived = 0;
    std::uint64_t sent = 0;
    bool is_stopped = false;
  };
  void push(Notification notification);
  void serve();

  ForgetEntry forget_entry_;
  ForgetInode forget_inode_;
  ForgetInode forget_attributes_;
  Guarded<State> state_;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace satchel::fs
