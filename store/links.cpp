#include "store/links.h"

#include <algorithm>

#include "store/format_error.h"
#include "store/page_editor.h"

namespace satchel::store {
namespace {

/// A table without links is no table.
PageId table_of(const PageList& list) {
  return list.summary.entries == 0 ? PageId{} : list.page;
}

Result<void> check_path(const LinkItem& item) {
  if (item.path.size() <= kLinkPathBytesMax) return {};
  return beyond_limit("the path of a linked file is longer than 65535 bytes");
}

}  // namespace

Result<std::vector<std::string>> find_links(TreeStore& trees, const PageId& links,
                                            const FileId& file_id) {
  std::vector<std::string> paths;
  PageCursor<LinkItem> cursor(trees, links);
  SATCHEL_TRY(cursor.seek(as_text(file_id.bytes)));
  while (cursor.at_item() && cursor.item().file_id == file_id) {
    paths.push_back(cursor.item().path);
    cursor.next();
    SATCHEL_TRY(cursor.read_to_item());
  }
  return paths;
}

Result<std::vector<LinkItem>> list_links(TreeStore& trees, const PageId& links) {
  std::vector<LinkItem> items;
  PageCursor<LinkItem> cursor(trees, links);
  SATCHEL_TRY(cursor.read_to_item());
  while (!cursor.at_end()) {
    items.push_back(cursor.item());
    cursor.next();
    SATCHEL_TRY(cursor.read_to_item());
  }
  return items;
}

Result<PageId> build_links(TreeStore& trees, std::vector<LinkItem> items) {
  std::ranges::sort(items);
  PageBuilder<LinkItem> builder(trees);
  for (LinkItem& item : items) {
    SATCHEL_TRY(check_path(item));
    SATCHEL_TRY(builder.append(std::move(item)));
  }
  SATCHEL_ASSIGN(const PageList list, builder.finish());
  return table_of(list);
}

Result<PageId> edit_links(TreeStore& trees, const PageId& links, const std::set<LinkItem>& removed,
                          const std::set<LinkItem>& added) {
  if (removed.empty() && added.empty()) return links;
  PageEditor<LinkItem> editor(trees, links);
  auto gone = removed.begin();
  auto come = added.begin();
  while (gone != removed.end() || come != added.end()) {
    const bool is_addition = come != added.end() && (gone == removed.end() || *come <= *gone);
    if (is_addition) {
      if (gone != removed.end() && *gone == *come) ++gone;  // what is both is in the table
      SATCHEL_TRY(check_path(*come));
      SATCHEL_TRY(editor.set(come->key(), *come));
      ++come;
    } else {
      SATCHEL_TRY(editor.set(gone->key(), std::nullopt));
      ++gone;
    }
  }
  SATCHEL_ASSIGN(const PageList list, editor.finish());
  return table_of(list);
}

}  // namespace satchel::store
