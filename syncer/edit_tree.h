// Edit a tree at some paths: directories are rewritten from the deepest up, each once.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "store/tree_store.h"

namespace satchel::syncer {

/// Entries to put at paths. A value.
class TreeEdits {
 public:
  /// `entry` counts under the last name of `path`; a whiteout: nothing is to be there, or below. Of
  /// a directory only the attributes count, if a directory is there. The root cannot be set.
  void set(const RelativePath& path, store::Entry entry);
  [[nodiscard]] bool is_empty() const { return names_.empty(); }

 private:
  friend class TreeEditor;
  struct Edit;
  std::map<std::string, std::shared_ptr<Edit>> names_;
};

/// `tree` with `edits`; one below what is not a directory is left out. Links are not put right.
/// Errors: those of TreeStore.
Result<store::Root> edit_tree(store::TreeStore& trees, const store::Root& tree,
                              const TreeEdits& edits);

}  // namespace satchel::syncer
