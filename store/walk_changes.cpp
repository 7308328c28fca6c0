#include "store/diff.h"
#include "store/page_comparer.h"
#include "store/tree_walk.h"

namespace satchel::store {
namespace {

/// The directory at `path` in both, or in one and nothing in the other.
struct Frame {
  PageComparer<Entry> names;
  RelativePath path;
};

PageId page_of(const Entry* entry) {
  return entry != nullptr && entry->is_directory() ? entry->directory.page : PageId{};
}

/// What happened to one name; absent if only what is in it changed.
std::optional<ChangeKind> kind_of_change(const Entry* first, const Entry* second) {
  if (first == nullptr) return ChangeKind::kAdded;
  if (second == nullptr) return ChangeKind::kRemoved;
  if (first->kind != second->kind) return ChangeKind::kTypeChanged;
  if (first->content != second->content || first->target != second->target ||
      first->device != second->device) {
    return ChangeKind::kModified;
  }
  Entry same_contents = *second;
  same_contents.directory = first->directory;
  if (*first != same_contents) return ChangeKind::kAttributes;
  return std::nullopt;
}

}  // namespace

Result<void> walk_changes(TreeStore& trees, const Root& first, const Root& second,
                          const std::function<Result<void>(const Change&)>& visit) {
  const Entry first_root = first.as_entry();
  const Entry second_root = second.as_entry();
  if (const auto kind = kind_of_change(&first_root, &second_root)) {
    SATCHEL_TRY(visit({RelativePath(), *kind, &first_root, &second_root}));
  }
  std::vector<Frame> frames;
  frames.push_back({{trees, first.directory.page, second.directory.page}, {}});
  while (!frames.empty()) {
    Frame& frame = frames.back();
    SATCHEL_ASSIGN(const bool differs, frame.names.next());
    if (!differs) {
      frames.pop_back();
      continue;
    }
    const Entry* one = frame.names.first();
    const Entry* other = frame.names.second();
    const Name& name = (one != nullptr ? one : other)->name;
    SATCHEL_TRY(path_in(frame.path.text(), name));
    RelativePath path = frame.path / name;
    if (const auto kind = kind_of_change(one, other)) {
      SATCHEL_TRY(visit({path, *kind, one, other}));
    }
    const PageId one_page = page_of(one);
    const PageId other_page = page_of(other);
    if (one_page == other_page) continue;
    SATCHEL_TRY(check_depth(frames.size()));
    frames.push_back({{trees, one_page, other_page}, std::move(path)});
  }
  return {};
}

Result<void> walk_tree(
    TreeStore& trees, const Root& root,
    const std::function<Result<void>(const RelativePath&, const Entry&)>& visit) {
  struct Directory {
    PageCursor<Entry> names;
    RelativePath path;
  };
  std::vector<Directory> directories;
  directories.push_back({{trees, root.directory}, {}});
  while (!directories.empty()) {
    Directory& directory = directories.back();
    SATCHEL_TRY(directory.names.read_to_item());
    if (directory.names.at_end()) {
      directories.pop_back();
      continue;
    }
    const Entry entry = directory.names.item();
    directory.names.next();
    SATCHEL_TRY(path_in(directory.path.text(), entry.name));
    RelativePath path = directory.path / entry.name;
    SATCHEL_TRY(visit(path, entry));
    if (!entry.is_directory()) continue;
    SATCHEL_TRY(check_depth(directories.size()));
    directories.push_back({{trees, entry.directory}, std::move(path)});
  }
  return {};
}

}  // namespace satchel::store
