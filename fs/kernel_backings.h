// Registers files with the kernel, which then reads and writes them by itself.
#pragma once

#include "fs/view.h"

namespace satchel::fs {

/// The kernel's side of passthrough, by the ioctls of the connection's descriptor. Thread-safe.
class KernelBackings final : public BackingRegistry {
 public:
  /// `connection_fd` is borrowed.
  explicit KernelBackings(int connection_fd) : connection_fd_(connection_fd) {}

  Result<BackingId> add(int fd) override;
  void remove(BackingId id) override;

 private:
  int connection_fd_;
};

}  // namespace satchel::fs
