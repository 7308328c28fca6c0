#include "store/diff.h"

#include "store/directory.h"
#include "store/format_error.h"
#include "store/linked_names.h"
#include "store/page_builder.h"
#include "store/page_comparer.h"
#include "store/tree_walk.h"

namespace satchel::store {
namespace {

/// A directory of the layer while it is made from what differs.
struct Frame {
  PageComparer<Entry> names;
  PageBuilder<Entry> layer;
  Entry entry;  // what it becomes, save for its contents
  FileId file_id;
  std::string path;
};

class TreeDiff {
 public:
  TreeDiff(TreeStore& trees, const Root& below, const Root& tree)
      : trees_(trees), below_(below), tree_(tree) {}

  Result<Root> make();

 private:
  Result<void> push(const Entry& below, const Entry& tree, FileId file_id, std::string path);
  Result<void> put(Frame& frame, const Entry* below, const Entry* tree);
  Result<Entry> pop();
  Result<void> note_links(const Frame& frame, const Entry& entry);

  TreeStore& trees_;
  const Root& below_;
  const Root& tree_;
  std::vector<Frame> frames_;
  std::set<LinkItem> links_;
  Subtrees taken_;  // directories that come with all that is in them
};

Result<Root> TreeDiff::make() {
  SATCHEL_TRY(push(below_.as_entry(), tree_.as_entry(), root_file_id(), ""));
  for (;;) {
    Frame& frame = frames_.back();
    SATCHEL_ASSIGN(const bool differs, frame.names.next());
    if (differs) {
      SATCHEL_TRY(put(frame, frame.names.first(), frame.names.second()));
      continue;
    }
    SATCHEL_ASSIGN(Entry directory, pop());
    if (!frames_.empty()) {
      SATCHEL_TRY(frames_.back().layer.append(std::move(directory)));
      continue;
    }
    Root layer = Root::from_entry(directory, PageId{});
    if (layer.mark == DirectoryMark::kInherit) layer.attributes = empty_layer().attributes;
    SATCHEL_TRY(collect_links(trees_, tree_.links, taken_, links_));
    SATCHEL_ASSIGN(layer.links, build_links(trees_, {links_.begin(), links_.end()}));
    return layer;
  }
}

Result<void> TreeDiff::push(const Entry& below, const Entry& tree, FileId file_id,
                            std::string path) {
  SATCHEL_TRY(check_depth(frames_.size()));
  Entry entry = tree;
  entry.mark = below.attributes == tree.attributes ? DirectoryMark::kInherit : DirectoryMark::kNone;
  frames_.push_back({PageComparer<Entry>(trees_, below.directory, tree.directory),
                     PageBuilder<Entry>(trees_), std::move(entry), file_id, std::move(path)});
  return {};
}

Result<void> TreeDiff::put(Frame& frame, const Entry* below, const Entry* tree) {
  if (tree == nullptr) return frame.layer.append(Entry::whiteout(below->name));
  if (tree->is_marked()) return contradiction("a mark stands in a tree");
  const bool are_directories = below != nullptr && below->is_directory() && tree->is_directory();
  if (are_directories && below->file_id == tree->file_id) {
    SATCHEL_ASSIGN(std::string path, path_in(frame.path, tree->name));
    return push(*below, *tree, tree->effective_file_id(frame.file_id), std::move(path));
  }
  SATCHEL_TRY(note_links(frame, *tree));
  Entry entry = *tree;
  if (are_directories) entry.mark = DirectoryMark::kOpaque;
  return frame.layer.append(std::move(entry));
}

Result<Entry> TreeDiff::pop() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  SATCHEL_ASSIGN(const PageList list, frame.layer.finish());
  frame.entry.directory = {list.page, list.summary.subdirectories, list.summary.marked};
  return std::move(frame.entry);
}

Result<void> TreeDiff::note_links(const Frame& frame, const Entry& entry) {
  if (tree_.links.is_none() || !(entry.linked || entry.is_directory())) return {};
  SATCHEL_ASSIGN(std::string path, path_in(frame.path, entry.name));
  if (entry.is_directory()) {
    taken_.add(path);
  } else {
    links_.insert({entry.effective_file_id(frame.file_id), std::move(path)});
  }
  return {};
}

}  // namespace

Result<Root> diff(TreeStore& trees, const Root& below, const Root& tree) {
  if (!below.is_tree() || !tree.is_tree()) return contradiction("only trees have a difference");
  if (below == tree) return empty_layer();
  return TreeDiff(trees, below, tree).make();
}

}  // namespace satchel::store
