// A directory of an imported tree whose entries arrive in any order, from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "store/tree_store.h"

namespace satchel::store {

/// Puts itself into the tree store when its last entry is there, and then is its parent's entry. So
/// only what is not complete stands in memory.
///
/// reserve() and close() belong to the thread that lists the directory, set() to any one thread for
/// each place.
class PendingDirectory : public std::enable_shared_from_this<PendingDirectory> {
 public:
  /// The root of a tree.
  static std::shared_ptr<PendingDirectory> make_root(TreeStore& trees);
  /// `entry`, still without its page, is what the new directory will be at `place` of this one.
  std::shared_ptr<PendingDirectory> make_child(std::size_t place, Entry entry);

  /// Before anything else: how many entries there will be, in order of name.
  void reserve(std::size_t count);
  /// Errors (here and in close()): those of TreeStore, for this directory or those above it.
  Result<void> set(std::size_t place, Entry entry);
  /// Nothing more is to come but what is reserved.
  Result<void> close();

  /// Of the root, once it is complete.
  [[nodiscard]] const DirectoryRef& built() const { return entry_.directory; }

 private:
  explicit PendingDirectory(TreeStore& trees) : trees_(trees) {}
  Result<void> finish_one();
  Result<void> build();

  TreeStore& trees_;
  std::shared_ptr<PendingDirectory> parent_;
  std::size_t place_ = 0;
  Entry entry_;
  std::vector<Entry> entries_;
  std::atomic<std::size_t> missing_ = 1;  // places not set, and one until close()
};

}  // namespace satchel::store
