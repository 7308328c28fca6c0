// What happens to the names and files of a view, for who asked to see it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/guarded.h"
#include "base/path.h"
#include "store/entry.h"

namespace satchel::fs {

/// Counts by path what is made, changed and removed, whoever does it. Bytes that an open descriptor
/// writes are not seen: opening it is. Bounded: past kPathsMax, new paths are only counted.
///
/// Thread-safe.
class ChangeWatch {
 public:
  static constexpr std::size_t kPathsMax = 20'000;

  struct Counts {
    store::Kind kind = store::Kind::kFile;
    std::uint32_t made = 0;     ///< the name appeared
    std::uint32_t changed = 0;  ///< opened for writing, its attributes set, or replaced by rename
    std::uint32_t removed = 0;  ///< the name went
  };
  using Paths = std::map<RelativePath, Counts>;

  void note_made(const RelativePath& path, store::Kind kind);
  void note_changed(const RelativePath& path, store::Kind kind);
  void note_removed(const RelativePath& path, store::Kind kind);
  /// A directory has another name: what was seen in it stands there now.
  void note_moved(const RelativePath& from, const RelativePath& to);

  [[nodiscard]] Paths paths() const { return seen_.lock()->paths; }
  [[nodiscard]] std::uint64_t left_out() const { return seen_.lock()->left_out; }

 private:
  struct Seen {
    Paths paths;
    std::uint64_t left_out = 0;
  };
  void count(const RelativePath& path, store::Kind kind, std::uint32_t Counts::*what);
  mutable Guarded<Seen> seen_;
};

/// Who watches a view. Thread-safe.
class ChangeWatches {
 public:
  /// Sees what happens from now on, until the last copy of the pointer goes.
  std::shared_ptr<ChangeWatch> add();
  /// Cheap: nothing is to be prepared for tell() when nobody watches.
  [[nodiscard]] bool is_empty() const { return !has_any_.load(std::memory_order_relaxed); }
  void tell(const std::function<void(ChangeWatch&)>& what);

 private:
  std::atomic<bool> has_any_ = false;
  Guarded<std::vector<std::weak_ptr<ChangeWatch>>> watches_;
};

}  // namespace satchel::fs
