#include "store/linked_names.h"

#include "store/directory.h"

namespace satchel::store {

bool Subtrees::contains(const std::string& path) const {
  if (paths_.empty()) return false;
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (paths_.contains(path.substr(0, slash))) return true;
  }
  return paths_.contains(path) || paths_.contains("");
}

Result<void> collect_links(TreeStore& trees, const PageId& table, const Subtrees& subtrees,
                           std::set<LinkItem>& items) {
  if (subtrees.is_empty()) return {};
  PageCursor<LinkItem> cursor(trees, table);
  SATCHEL_TRY(cursor.read_to_item());
  while (!cursor.at_end()) {
    if (subtrees.contains(cursor.item().path)) items.insert(cursor.item());
    cursor.next();
    SATCHEL_TRY(cursor.read_to_item());
  }
  return {};
}

Result<void> locate_links(TreeStore& trees, const Root& root, const std::set<std::string>& paths,
                          std::set<LinkItem>& items) {
  for (const std::string& text : paths) {
    SATCHEL_ASSIGN(const RelativePath path, RelativePath::parse(text));
    SATCHEL_ASSIGN(const auto located, locate_path(trees, root, path));
    if (located && located->entry.linked) items.insert({located->file_id, text});
  }
  return {};
}

}  // namespace satchel::store
