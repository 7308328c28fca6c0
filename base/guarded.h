// Shared state that can be reached only with its lock held.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <utility>

namespace satchel {

/// A T behind a mutex: `auto state = guarded.lock(); state->…`. The lock lives as long as the
/// handle.
template <typename T, typename Mutex = std::mutex>
class Guarded {
 public:
  template <typename Value, typename Lock>
  class Handle {
   public:
    Handle(Value& value, Mutex& mutex) : lock_(mutex), value_(&value) {}
    Value* operator->() const { return value_; }
    Value& operator*() const { return *value_; }
    /// For condition variables.
    Lock& lock() { return lock_; }

   private:
    Lock lock_;
    Value* value_;
  };

  Guarded() = default;
  template <typename... Args>
  explicit Guarded(std::in_place_t, Args&&... args) : value_(std::forward<Args>(args)...) {}

  Handle<T, std::unique_lock<Mutex>> lock() { return {value_, mutex_}; }
  Handle<const T, std::unique_lock<Mutex>> lock() const { return {value_, mutex_}; }
  /// Many readers at once; only for Guarded<T, std::shared_mutex>.
  Handle<const T, std::shared_lock<Mutex>> lock_shared() const { return {value_, mutex_}; }

 private:
  mutable Mutex mutex_;
  T value_;
};

}  // namespace satchel
