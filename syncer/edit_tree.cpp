#include "syncer/edit_tree.h"

#include <utility>
#include <vector>

#include "store/directory.h"

namespace satchel::syncer {

using store::DirectoryEdit;
using store::DirectoryRef;
using store::Entry;

struct TreeEdits::Edit {
  std::optional<Entry> entry;
  std::map<std::string, std::shared_ptr<Edit>> names;
};

void TreeEdits::set(const RelativePath& path, Entry entry) {
  SATCHEL_ASSERT(!path.is_root());
  auto* names = &names_;
  std::shared_ptr<Edit> edit;
  for (const Name& name : path.names()) {
    std::shared_ptr<Edit>& next = (*names)[name.text()];
    if (next == nullptr) next = std::make_shared<Edit>();
    edit = next;
    names = &edit->names;
  }
  entry.name = path.name();
  edit->entry = std::move(entry);
}

class TreeEditor {
 public:
  using Edits = std::map<std::string, std::shared_ptr<TreeEdits::Edit>>;

  explicit TreeEditor(store::TreeStore& trees) : trees_(trees) {}

  Result<store::Root> apply(const store::Root& tree, const TreeEdits& edits) {
    store::Root result = tree;
    SATCHEL_ASSIGN(result.directory, apply_below(tree.directory, edits.names_));
    return result;
  }

 private:
  Result<DirectoryRef> apply_below(const DirectoryRef& directory, const Edits& names) {
    std::vector<DirectoryEdit> edits;
    for (const auto& [text, edit] : names) {
      const Name name = Name::checked(text);
      SATCHEL_ASSIGN(std::optional<Entry> entry, store::find_entry(trees_, directory.page, name));
      const bool is_directory = entry && entry->is_directory();
      if (edit->entry && edit->entry->is_whiteout()) {
        if (entry) edits.push_back({name, std::nullopt});
        continue;
      }
      if (edit->entry) {
        Entry next = *edit->entry;
        if (next.is_directory()) {
          if (is_directory) next.directory = entry->directory;
          if (is_directory) next.file_id = entry->file_id;
        }
        entry = std::move(next);
      }
      if (!edit->names.empty() && is_directory && entry->is_directory()) {
        SATCHEL_ASSIGN(entry->directory, apply_below(entry->directory, edit->names));
      }
      if (entry) edits.push_back({name, std::move(entry)});
    }
    if (edits.empty()) return directory;
    return store::edit_directory(trees_, directory.page, edits);
  }

  store::TreeStore& trees_;
};

Result<store::Root> edit_tree(store::TreeStore& trees, const store::Root& tree,
                              const TreeEdits& edits) {
  return TreeEditor(trees).apply(tree, edits);
}

}  // namespace satchel::syncer
