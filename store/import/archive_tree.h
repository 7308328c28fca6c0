// An archive's members as a tree: they come in any order, and the last of a name counts.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/import/linked_file.h"
#include "store/root.h"
#include "store/tree_store.h"

namespace satchel::store {

/// The names on the way to a member. Leading, doubled and trailing slashes and "." are dropped; the
/// root has none. Errors: EBADMSG/kBadArchive (".." or a name too long), kLimit (too deep).
Result<std::vector<Name>> parse_member_path(const std::string& path);

/// Holds entries in memory, without contents. Errors of the methods that add: EBADMSG/kBadArchive,
/// without a path. Not thread-safe.
class ArchiveTree {
 public:
  /// What one or more names are.
  struct Inode {
    Entry entry;             ///< its name means nothing
    bool has_links = false;  ///< it was linked to once
    LinkedFile link;
  };

  ArchiveTree();
  ~ArchiveTree();
  ArchiveTree(const ArchiveTree&) = delete;
  ArchiveTree& operator=(const ArchiveTree&) = delete;

  /// A directory that is there keeps what is in it; anything else is replaced. Directories missing
  /// on the way are made: 0755, root's, of 1970. Refused: a way through what is no directory, and a
  /// root that is none.
  Result<std::shared_ptr<Inode>> add(const std::vector<Name>& path, Entry entry);
  /// Refused: a target that is missing or a directory, and what add() refuses.
  Result<std::shared_ptr<Inode>> add_link(const std::vector<Name>& path,
                                          const std::vector<Name>& target);

  struct Written {
    Attributes attributes;  ///< of the root directory
    DirectoryRef directory;
    PageId links;
    std::uint64_t files = 0;
    std::uint64_t directories = 0;
    std::uint64_t bytes = 0;
  };
  /// Puts it all into `trees`, every directory with `mark`. Called once. Errors: those of
  /// TreeStore.
  Result<Written> write(TreeStore& trees, DirectoryMark mark);

 private:
  struct Node;
  class Writer;
  [[nodiscard]] Node* find(const std::vector<Name>& path) const;
  Result<Node*> make_way(const std::vector<Name>& path);
  std::unique_ptr<Node> root_;
};

}  // namespace satchel::store
