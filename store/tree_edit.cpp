#include "store/tree_edit.h"

#include <algorithm>

#include "store/directory.h"
#include "store/format_error.h"
#include "store/page_editor.h"
#include "store/tree_walk.h"

namespace satchel::store {
namespace {

/// A directory that is being edited, inside the one of the frame before.
struct Frame {
  Entry entry;
  PageEditor<Entry> editor;
};

class TreeEdit {
 public:
  TreeEdit(TreeStore& trees, const Root& root) : trees_(trees), root_(root) {
    push(root.as_entry());
  }

  Result<void> set(const RelativePath& path, const Entry& entry) {
    SATCHEL_TRY(go_to(path.parent().names()));
    return frames_.back().editor.set(entry.name.text(), entry);
  }

  Result<Root> finish() {
    while (frames_.size() > 1) SATCHEL_TRY(leave());
    SATCHEL_ASSIGN(const Entry entry, pop());
    return Root::from_entry(entry, root_.links);
  }

 private:
  /// Makes the directory at `names` the innermost one. Edits come in walk order, so one that was
  /// left is not entered again.
  Result<void> go_to(const std::vector<Name>& names) {
    std::size_t common = 0;
    while (common < names.size() && common + 1 < frames_.size() &&
           frames_[common + 1].entry.name == names[common]) {
      ++common;
    }
    while (frames_.size() > common + 1) SATCHEL_TRY(leave());
    for (; common < names.size(); ++common) {
      SATCHEL_TRY(check_depth(frames_.size()));
      const PageId& directory = frames_.back().entry.directory.page;
      SATCHEL_ASSIGN(const auto entry, find_entry(trees_, directory, names[common]));
      if (!entry || !entry->is_directory()) return contradiction("an edit outside of the tree");
      push(*entry);
    }
    return {};
  }

  void push(const Entry& entry) {
    frames_.push_back({entry, PageEditor<Entry>(trees_, entry.directory.page)});
  }

  Result<Entry> pop() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    SATCHEL_ASSIGN(const PageList list, frame.editor.finish());
    frame.entry.directory = {list.page, list.summary.subdirectories, list.summary.marked};
    return std::move(frame.entry);
  }

  Result<void> leave() {
    SATCHEL_ASSIGN(Entry entry, pop());
    const std::string name = entry.name.text();
    return frames_.back().editor.set(name, std::move(entry));
  }

  TreeStore& trees_;
  const Root& root_;
  std::vector<Frame> frames_;
};

}  // namespace

bool WalkOrder::operator()(const std::string& first, const std::string& second) const {
  // No name holds a zero byte, so '/' as zero ends a name before any longer one.
  const auto rank = [](char byte) {
    return byte == '/' ? 0U : static_cast<unsigned>(static_cast<unsigned char>(byte));
  };
  return std::ranges::lexicographical_compare(first, second, {}, rank, rank);
}

Result<Root> edit_tree(TreeStore& trees, const Root& root, const EntryEdits& edits) {
  if (edits.empty()) return root;
  TreeEdit edit(trees, root);
  for (const auto& [text, entry] : edits) {
    SATCHEL_ASSIGN(const RelativePath path, RelativePath::parse(text));
    SATCHEL_TRY(edit.set(path, entry));
  }
  return edit.finish();
}

}  // namespace satchel::store
