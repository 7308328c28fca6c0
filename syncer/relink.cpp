#include "syncer/relink.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "store/directory.h"
#include "store/links.h"
#include "store/stack.h"
#include "syncer/restrict.h"

namespace satchel::syncer {
namespace {

using store::DirectoryDifference;
using store::Entry;
using store::FileId;
using store::LinkItem;
using store::PageId;
using store::Root;
using store::TreeStore;

/// Collects the linked names by which two trees differ.
class LinkChanges {
 public:
  explicit LinkChanges(TreeStore& trees) : trees_(trees) {}

  struct Side {
    PageId page = store::empty_directory_page();
    FileId id;
  };

  Result<void> compare(const RelativePath& path, const Side& first, const Side& second,
                       std::size_t depth) {
    if (depth > kDepthMax) return too_deep(path);
    // The id of a directory is part of the default ids in it, so equal pages may name other files.
    if (first.id != second.id) {
      SATCHEL_TRY(collect(path, first, removed_, depth));
      return collect(path, second, added_, depth);
    }
    return store::compare_directories(
        trees_, first.page, second.page, [&](const DirectoryDifference& difference) {
          return compare_names(path, first, second, difference, depth);
        });
  }

  std::set<LinkItem> removed_;
  std::set<LinkItem> added_;

 private:
  static Error too_deep(const RelativePath& path) {
    return {.code = EUCLEAN,
            .sat = Sat::kLimit,
            .message = "directories are nested deeper than 4096",
            .path = path.absolute()};
  }

  Result<void> compare_names(const RelativePath& path, const Side& first, const Side& second,
                             const DirectoryDifference& difference, std::size_t depth) {
    const RelativePath inside = path / difference.name();
    if (difference.first != nullptr && difference.second != nullptr &&
        difference.first->is_directory() && difference.second->is_directory()) {
      return compare(inside, side_of(*difference.first, first.id),
                     side_of(*difference.second, second.id), depth + 1);
    }
    if (difference.first != nullptr) {
      SATCHEL_TRY(collect_entry(inside, *difference.first, first.id, removed_, depth));
    }
    if (difference.second != nullptr) {
      SATCHEL_TRY(collect_entry(inside, *difference.second, second.id, added_, depth));
    }
    return {};
  }

  static Side side_of(const Entry& entry, const FileId& parent) {
    return {entry.directory.page, entry.effective_file_id(parent)};
  }

  Result<void> collect(const RelativePath& path, const Side& side, std::set<LinkItem>& into,
                       std::size_t depth) {
    if (depth > kDepthMax) return too_deep(path);
    SATCHEL_ASSIGN(auto cursor, store::DirectoryCursor::begin(trees_, side.page));
    while (!cursor.at_end()) {
      const Entry& entry = cursor.entry();
      SATCHEL_TRY(collect_entry(path / entry.name, entry, side.id, into, depth));
      SATCHEL_TRY(cursor.next());
    }
    return {};
  }

  Result<void> collect_entry(const RelativePath& path, const Entry& entry, const FileId& parent,
                             std::set<LinkItem>& into, std::size_t depth) {
    if (entry.linked) into.insert({entry.effective_file_id(parent), path.text()});
    return entry.is_directory() ? collect(path, side_of(entry, parent), into, depth + 1)
                                : Result<void>();
  }

  TreeStore& trees_;
};

}  // namespace

Result<Root> relink(TreeStore& trees, const Root& known, const Root& tree) {
  LinkChanges changes(trees);
  SATCHEL_TRY(changes.compare({}, {known.directory.page, store::root_file_id()},
                              {tree.directory.page, store::root_file_id()}, 0));
  Root linked = tree;
  linked.links = known.links;
  if (changes.removed_.empty() && changes.added_.empty()) return linked;

  std::set<FileId> touched;
  for (const LinkItem& item : changes.removed_) touched.insert(item.file_id);
  for (const LinkItem& item : changes.added_) touched.insert(item.file_id);
  std::set<LinkItem> gone;
  std::ranges::set_difference(changes.removed_, changes.added_, std::inserter(gone, gone.end()));
  std::set<LinkItem> come;
  std::ranges::set_difference(changes.added_, changes.removed_, std::inserter(come, come.end()));
  SATCHEL_ASSIGN(linked.links, store::edit_links(trees, known.links, gone, come));
  return store::put_links_right(trees, linked, touched);
}

}  // namespace satchel::syncer
