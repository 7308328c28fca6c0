// The base: the immutable tree under a mount's upper, read by path and by directory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/directory.h"
#include "store/root.h"
#include "store/tree_store.h"

namespace satchel::fs {

/// A base directory, as far as looking up names in it needs it.
struct BaseDirectory {
  store::PageId page;
  store::FileId file_id;
};

/// One tree of one version. A base switch makes a new one; who still holds the old one can go on
/// reading it. Thread-safe. Errors of all: those of the tree store.
class BaseTree {
 public:
  static Result<std::shared_ptr<const BaseTree>> open(store::TreeStore& trees,
                                                      const store::RootId& id);

  [[nodiscard]] const store::RootId& id() const { return id_; }
  [[nodiscard]] const store::Root& root() const { return root_; }
  [[nodiscard]] store::TreeStore& trees() const { return *trees_; }

  /// The root itself, as an entry.
  [[nodiscard]] store::LocatedEntry root_entry() const;
  [[nodiscard]] Result<std::optional<store::LocatedEntry>> find(const BaseDirectory& directory,
                                                                const Name& name) const;
  /// As find(), for who needs no file id: to make one means to hash.
  [[nodiscard]] Result<std::optional<store::Entry>> find_entry(const BaseDirectory& directory,
                                                               const Name& name) const;
  [[nodiscard]] Result<std::optional<store::LocatedEntry>> locate(const RelativePath& path) const;
  /// All paths of a linked file.
  [[nodiscard]] Result<std::vector<RelativePath>> links(const store::FileId& file_id) const;
  [[nodiscard]] Result<store::Xattrs> xattrs(const store::Entry& entry) const;

 private:
  BaseTree(store::TreeStore& trees, const store::RootId& id, store::Root root)
      : trees_(&trees), id_(id), root_(std::move(root)) {}
  store::TreeStore* trees_;
  store::RootId id_;
  store::Root root_;
};

/// What a located directory entry is to who looks up names in it.
BaseDirectory as_base_directory(const store::LocatedEntry& located);

}  // namespace satchel::fs
