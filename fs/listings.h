// Directories that are being read, for a kernel that does not tell when it opens or closes one.
#pragma once

#include <cstdint>
#include <memory>

#include "base/guarded.h"
#include "fs/view.h"
#include "store/lru_cache.h"

namespace satchel::fs {

/// One reading of a directory, from its first name on.
class Listing {
 public:
  /// Takes over `handle` of `view`.
  Listing(View& view, NodeId directory, HandleId handle, std::uint64_t number)
      : view_(view), directory_(directory), handle_(handle), number_(number) {}
  ~Listing() { view_.release_directory(handle_); }
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  [[nodiscard]] NodeId directory() const { return directory_; }
  [[nodiscard]] HandleId handle() const { return handle_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  /// What the kernel is told, and comes back with, for `offset` of this listing.
  [[nodiscard]] std::uint64_t to_kernel(std::uint64_t offset) const;
  /// The offset itself.
  static std::uint64_t from_kernel(std::uint64_t offset);

 private:
  View& view_;
  NodeId directory_;
  HandleId handle_;
  std::uint64_t number_;
};

/// Without OPENDIR and RELEASEDIR a directory that the kernel has cached is listed without any
/// request. What an open directory would remember is kept here instead: each reading that begins
/// gets a number, which its offsets carry, so that readers of one directory do not disturb each
/// other. It is forgotten at the end of the directory, or when others were in use since; whoever
/// comes back later goes on as if the directory had been opened at that place. Thread-safe.
class Listings {
 public:
  explicit Listings(View& view) : view_(view) {}

  /// The listing that goes on at `kernel_offset`; a new one at 0. Errors: ESTALE, ENOTDIR.
  Result<std::shared_ptr<Listing>> at(NodeId directory, std::uint64_t kernel_offset);
  void end(const Listing& listing);

 private:
  static constexpr std::size_t kListingsMax = 256;
  struct State {
    std::uint64_t next_number = 1;
    store::LruCache<std::uint64_t, std::shared_ptr<Listing>> recent{kListingsMax};
  };

  View& view_;
  Guarded<State> state_;
};

}  // namespace satchel::fs
