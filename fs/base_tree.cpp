#include "fs/base_tree.h"

#include "store/links.h"

namespace satchel::fs {

Result<std::shared_ptr<const BaseTree>> BaseTree::open(store::TreeStore& trees,
                                                       const store::RootId& id) {
  SATCHEL_ASSIGN(store::Root root, trees.get_root(id));
  if (!root.is_tree()) {
    return Error{.code = EUCLEAN,
                 .sat = Sat::kContradiction,
                 .message = "a layer with marks cannot be mounted: compose it first"};
  }
  return std::shared_ptr<const BaseTree>(new BaseTree(trees, id, std::move(root)));
}

store::LocatedEntry BaseTree::root_entry() const {
  return {.entry = root_.as_entry(), .file_id = store::root_file_id()};
}

Result<std::optional<store::LocatedEntry>> BaseTree::find(const BaseDirectory& directory,
                                                          const Name& name) const {
  SATCHEL_ASSIGN(auto entry, find_entry(directory, name));
  if (!entry) return std::optional<store::LocatedEntry>();
  const store::FileId file_id = entry->effective_file_id(directory.file_id);
  return std::optional(store::LocatedEntry{.entry = *std::move(entry), .file_id = file_id});
}

Result<std::optional<store::Entry>> BaseTree::find_entry(const BaseDirectory& directory,
                                                         const Name& name) const {
  return store::find_entry(*trees_, directory.page, name);
}

Result<std::optional<store::LocatedEntry>> BaseTree::locate(const RelativePath& path) const {
  if (path.is_root()) return std::optional(root_entry());
  return store::locate_path(*trees_, root_, path);
}

Result<std::vector<RelativePath>> BaseTree::links(const store::FileId& file_id) const {
  SATCHEL_ASSIGN(const auto texts, store::find_links(*trees_, root_.links, file_id));
  std::vector<RelativePath> paths;
  paths.reserve(texts.size());
  for (const auto& text : texts) {
    SATCHEL_ASSIGN(auto path, RelativePath::parse(text));
    paths.push_back(std::move(path));
  }
  return paths;
}

Result<store::Xattrs> BaseTree::xattrs(const store::Entry& entry) const {
  return store::read_xattrs(*trees_, entry.attributes.xattrs);
}

BaseDirectory as_base_directory(const store::LocatedEntry& located) {
  return {.page = located.entry.directory.page, .file_id = located.file_id};
}

}  // namespace satchel::fs
