// "Links put right": names of one linked file that do not agree any more part ways. docs/format.md,
// section 4.
#include "store/directory.h"
#include "store/format_error.h"
#include "store/link_parts.h"
#include "store/links.h"
#include "store/stack.h"

namespace satchel::store {

Result<Root> put_links_right(TreeStore& trees, const Root& root, const std::set<FileId>& file_ids) {
  LinkRepair repair;
  for (const FileId& file_id : file_ids) {
    SATCHEL_ASSIGN(const auto paths, find_links(trees, root.links, file_id));
    std::map<std::string, Entry> names;
    for (const std::string& text : paths) {
      SATCHEL_ASSIGN(const RelativePath path, RelativePath::parse(text));
      SATCHEL_ASSIGN(const auto located, locate_path(trees, root, path));
      if (!located || !located->entry.linked || located->file_id != file_id) {
        return contradiction("a link table does not say what its tree says");
      }
      names.emplace(text, located->entry);
    }
    repair.part(file_id, names, FirstPart::kKeepsId);
  }
  return repair.apply(trees, root);
}

}  // namespace satchel::store
