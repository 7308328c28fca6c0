// Names of one file id that are not one inode, and what each of them becomes. docs/format.md,
// section 4.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/links.h"
#include "store/tree_edit.h"

namespace satchel::store {

/// The id that names of `file_id` get which are told apart from others; `path` is the first of
/// them.
FileId split_file_id(const FileId& file_id, std::string_view path);

/// Whether the names that come first keep the id that all had.
enum class FirstPart : std::uint8_t { kKeepsId, kIsRenamed };

/// Collects what has to change so that names of one file id are one inode.
class LinkRepair {
 public:
  /// `names`: all names of `file_id` in the tree, by path. Those that agree form a part, a name
  /// that is not linked one of its own.
  void part(const FileId& file_id, const std::map<std::string, Entry>& names, FirstPart first_part);

  /// `root` with entries and link table changed.
  Result<Root> apply(TreeStore& trees, const Root& root) const;

 private:
  void change(const FileId& old_id, const FileId& new_id, const std::string& path,
              const Entry& old_entry, bool is_linked);

  EntryEdits edits_;
  std::set<LinkItem> gone_;
  std::set<LinkItem> come_;
};

}  // namespace satchel::store
