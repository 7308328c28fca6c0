#include "store/layer_merge.h"

#include "store/directory.h"
#include "store/format_error.h"
#include "store/linked_names.h"
#include "store/page_merge.h"
#include "store/tree_walk.h"

namespace satchel::store {
namespace {

constexpr std::size_t kLower = 0;
constexpr std::size_t kUpper = 1;

/// A directory of the result while its contents are merged.
struct Frame {
  PageMerge names;
  PageBuilder<Entry> merged;
  Entry entry;      // what it becomes, save for its contents
  FileId lower_id;  // and the result's
  FileId upper_id;
  Marks marks = Marks::kKeep;
  std::string path;
};

class LayerMerge {
 public:
  LayerMerge(TreeStore& trees, const Root& lower, const Root& upper)
      : trees_(trees), lower_root_(lower), upper_root_(upper) {}

  Result<MergedLayer> merge(Marks marks);

 private:
  void push_root(Marks marks);
  Result<void> push_merge(const Entry& lower, const Entry& upper);
  Result<void> push_clean(const Entry& entry, FileId upper_id);

  Result<bool> step();
  Result<void> copy_common_page(Frame& frame, const CommonPage& common);
  Result<void> copy_lower(Frame& frame, const KeyBound& bound);
  Result<void> copy_upper(Frame& frame, const KeyBound& bound);
  Result<void> merge_name(Frame& frame);
  Result<void> put_upper(Frame& frame, const Entry& upper, const Entry* lower);
  Result<Entry> pop_directory();
  Result<MergedLayer> finish(Root root);

  TreeStore& trees_;
  const Root& lower_root_;
  const Root& upper_root_;
  std::vector<Frame> frames_;
  // Of the linked names: all of the upper are in the result, and of the lower all but these.
  std::set<LinkItem> replaced_;
  Subtrees hidden_;
  // Where the upper's directories have other file ids than the result's.
  Subtrees rebased_;
};

/// `upper`, a directory, over `lower`, a directory: without the contents.
Entry merge_directory_entries(const Entry& lower, const Entry& upper, Marks marks) {
  Entry merged = upper.mark == DirectoryMark::kInherit ? lower : upper;
  merged.file_id = lower.file_id;
  if (lower.mark == DirectoryMark::kOpaque) merged.mark = DirectoryMark::kOpaque;
  if (marks == Marks::kDrop) merged.mark = DirectoryMark::kNone;
  return merged;
}

/// What becomes of marks inside of a directory that `lower` is merged into.
Marks marks_within(const Entry& lower, Marks marks) {
  return lower.mark == DirectoryMark::kOpaque ? Marks::kDrop : marks;
}

Result<MergedLayer> LayerMerge::merge(Marks marks) {
  push_root(marks);
  for (;;) {
    SATCHEL_ASSIGN(const bool is_complete, step());
    if (!is_complete) continue;
    SATCHEL_ASSIGN(Entry directory, pop_directory());
    if (frames_.empty()) return finish(Root::from_entry(directory, PageId{}));
    SATCHEL_TRY(frames_.back().merged.append(std::move(directory)));
  }
}

PageMerge names_of(TreeStore& trees, const Entry* lower, const Entry& upper) {
  return PageMerge({lower != nullptr ? PageMerge::Cursor(trees, lower->directory)
                                     : PageMerge::Cursor(trees, PageId{}),
                    PageMerge::Cursor(trees, upper.directory)});
}

void LayerMerge::push_root(Marks marks) {
  const Entry lower = lower_root_.as_entry();
  const Entry upper = upper_root_.as_entry();
  if (upper.mark == DirectoryMark::kOpaque) {
    hidden_.add("");
    Entry entry = upper;
    if (marks == Marks::kDrop) entry.mark = DirectoryMark::kNone;
    frames_.push_back({names_of(trees_, nullptr, upper), PageBuilder<Entry>(trees_),
                       std::move(entry), root_file_id(), root_file_id(), marks, ""});
    return;
  }
  frames_.push_back({names_of(trees_, &lower, upper), PageBuilder<Entry>(trees_),
                     merge_directory_entries(lower, upper, marks), root_file_id(), root_file_id(),
                     marks_within(lower, marks), ""});
}

Result<void> LayerMerge::push_merge(const Entry& lower, const Entry& upper) {
  SATCHEL_TRY(check_depth(frames_.size()));
  const Frame& parent = frames_.back();
  SATCHEL_ASSIGN(std::string path, path_in(parent.path, lower.name));
  const FileId lower_id = lower.effective_file_id(parent.lower_id);
  const FileId upper_id = upper.effective_file_id(parent.upper_id);
  if (lower_id != upper_id) rebased_.add(path);
  frames_.push_back({names_of(trees_, &lower, upper), PageBuilder<Entry>(trees_),
                     merge_directory_entries(lower, upper, parent.marks), lower_id, upper_id,
                     marks_within(lower, parent.marks), std::move(path)});
  return {};
}

/// `entry` is a directory of the upper, with its own mark as the result will have it.
Result<void> LayerMerge::push_clean(const Entry& entry, FileId upper_id) {
  SATCHEL_TRY(check_depth(frames_.size()));
  SATCHEL_ASSIGN(std::string path, path_in(frames_.back().path, entry.name));
  frames_.push_back({names_of(trees_, nullptr, entry), PageBuilder<Entry>(trees_), entry, upper_id,
                     upper_id, Marks::kDrop, std::move(path)});
  return {};
}

/// Goes on in the innermost directory; true once that is complete.
Result<bool> LayerMerge::step() {
  Frame& frame = frames_.back();
  if (const auto common = find_common_page(frame.names.list(kLower), frame.names.list(kUpper))) {
    SATCHEL_TRY(copy_common_page(frame, *common));
    return false;
  }
  SATCHEL_ASSIGN(const PageMerge::Step step, frame.names.step());
  switch (step) {
    case PageMerge::Step::kEnd:
      return true;
    case PageMerge::Step::kLookAgain:
      return false;
    case PageMerge::Step::kRun:
      SATCHEL_TRY(frame.names.runner() == kLower ? copy_lower(frame, frame.names.bound())
                                                 : copy_upper(frame, frame.names.bound()));
      return false;
    case PageMerge::Step::kNames:
      SATCHEL_TRY(merge_name(frame));
      return false;
  }
  return true;
}

/// What both have alike stays as it is: stacking a layer onto itself changes nothing.
Result<void> LayerMerge::copy_common_page(Frame& frame, const CommonPage& common) {
  const IndexItem* said = frame.names.list(kLower).index_item(common.first_depth);
  const std::string last_key = said != nullptr ? said->last_key : std::string();
  frame.names.list(kUpper).skip_page(common.second_depth);
  return copy_lower(frame, said != nullptr ? KeyBound::through(last_key) : KeyBound::none());
}

Result<void> LayerMerge::copy_lower(Frame& frame, const KeyBound& bound) {
  PageMerge::Cursor& lower = frame.names.list(kLower);
  if (frame.marks == Marks::kKeep) return copy_items(lower, frame.merged, bound);
  SATCHEL_TRY(copy_items(lower, frame.merged, bound, MarkedItems::kStopBefore));
  if (lower.at_item() && bound.covers(lower.item().name.text())) {
    return contradiction("a mark stands in an opaque directory or in a tree");
  }
  return {};
}

/// Names that only the upper has, up to `bound` or to the first that needs a directory of its own.
Result<void> LayerMerge::copy_upper(Frame& frame, const KeyBound& bound) {
  PageMerge::Cursor& upper = frame.names.list(kUpper);
  if (frame.marks == Marks::kKeep) return copy_items(upper, frame.merged, bound);
  SATCHEL_TRY(copy_items(upper, frame.merged, bound, MarkedItems::kStopBefore));
  if (!upper.at_item() || !bound.covers(upper.item().name.text())) return {};
  const Entry entry = upper.item();
  upper.next();
  return put_upper(frame, entry, nullptr);
}

Result<void> LayerMerge::merge_name(Frame& frame) {
  const Entry lower = *frame.names.entry(kLower);
  const Entry upper = *frame.names.entry(kUpper);
  frame.names.pass_names();
  if (lower.is_directory() && upper.is_directory() && upper.mark != DirectoryMark::kOpaque) {
    return push_merge(lower, upper);
  }
  if (lower.linked || lower.is_directory()) {
    SATCHEL_ASSIGN(std::string path, path_in(frame.path, lower.name));
    if (lower.is_directory()) {
      hidden_.add(path);
    } else {
      replaced_.insert({lower.effective_file_id(frame.lower_id), std::move(path)});
    }
  }
  return put_upper(frame, upper, &lower);
}

/// `upper`, where the result has nothing of the lower's `lower` (null: absent).
Result<void> LayerMerge::put_upper(Frame& frame, const Entry& upper, const Entry* lower) {
  const bool keeps_marks = frame.marks == Marks::kKeep;
  if (upper.is_whiteout()) return keeps_marks ? frame.merged.append(upper) : Result<void>();
  if (!upper.is_directory()) return frame.merged.append(upper);

  // A directory over something else hides it, and so needs no marks within.
  const bool becomes_opaque =
      keeps_marks && lower != nullptr && upper.mark != DirectoryMark::kOpaque;
  if (keeps_marks && !becomes_opaque) return frame.merged.append(upper);
  Entry entry = upper;
  entry.mark = becomes_opaque ? DirectoryMark::kOpaque : DirectoryMark::kNone;
  if (!entry.directory.marked_below) return frame.merged.append(std::move(entry));
  return push_clean(entry, upper.effective_file_id(frame.upper_id));
}

/// The innermost directory, complete.
Result<Entry> LayerMerge::pop_directory() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  SATCHEL_ASSIGN(const PageList list, frame.merged.finish());
  frame.entry.directory = {list.page, list.summary.subdirectories, list.summary.marked};
  return std::move(frame.entry);
}

Result<MergedLayer> LayerMerge::finish(Root root) {
  MergedLayer merged{std::move(root), {}};
  if (lower_root_.links.is_none() && upper_root_.links.is_none()) return merged;

  std::set<LinkItem> gone;
  if (!lower_root_.links.is_none()) gone = std::move(replaced_);
  SATCHEL_TRY(collect_links(trees_, lower_root_.links, hidden_, gone));
  std::set<LinkItem> come;
  std::set<std::string> rebased_paths;
  SATCHEL_ASSIGN(const auto upper_links, list_links(trees_, upper_root_.links));
  for (const LinkItem& link : upper_links) {
    if (rebased_.contains(link.path)) {
      rebased_paths.insert(link.path);
    } else {
      come.insert(link);
    }
  }
  SATCHEL_TRY(locate_links(trees_, merged.root, rebased_paths, come));
  SATCHEL_ASSIGN(merged.root.links, edit_links(trees_, lower_root_.links, gone, come));
  for (const LinkItem& link : gone) merged.touched_links.insert(link.file_id);
  for (const LinkItem& link : come) merged.touched_links.insert(link.file_id);
  return merged;
}

}  // namespace

Result<MergedLayer> merge_layers(TreeStore& trees, const Root& lower, const Root& upper,
                                 Marks marks) {
  return LayerMerge(trees, lower, upper).merge(marks);
}

Result<Root> drop_marks(TreeStore& trees, const Root& layer) {
  if (layer.is_tree()) return layer;
  Root opaque = layer;
  opaque.mark = DirectoryMark::kOpaque;
  opaque.links = PageId{};  // all of them stay
  SATCHEL_ASSIGN(MergedLayer merged, merge_layers(trees, empty_tree(), opaque, Marks::kDrop));
  merged.root.links = layer.links;
  return std::move(merged.root);
}

}  // namespace satchel::store
