#include "syncer/restrict.h"

#include <optional>
#include <utility>
#include <vector>

#include "store/directory.h"
#include "syncer/relink.h"

namespace satchel::syncer {
namespace {

using store::DirectoryDifference;
using store::DirectoryEdit;
using store::DirectoryRef;
using store::Entry;
using store::FileId;
using store::PageId;
using store::Root;
using store::TreeStore;

/// One directory as one of the two trees has it; an empty one with the other's id if it is absent.
struct Side {
  DirectoryRef ref{
      .page = store::empty_directory_page(), .subdirectories = 0, .marked_below = false};
  FileId id;
};

/// The same file under another directory: an id that was the default there is written down here.
Entry moved(Entry entry, const FileId& from, const FileId& to) {
  if (from == to) return entry;
  entry.file_id = entry.effective_file_id(from);
  entry.normalize_file_id(to);
  return entry;
}

class Restriction {
 public:
  Restriction(TreeStore& trees, const PathSet& spoken_for)
      : trees_(trees), spoken_for_(spoken_for) {}

  /// The contents of a directory of the result, whose file id is `id`.
  Result<DirectoryRef> contents(const RelativePath& path, const Side& before, const Side& after,
                                const FileId& id, std::size_t depth) {
    if (depth > kDepthMax) {
      return Error{.code = EUCLEAN,
                   .sat = Sat::kLimit,
                   .message = "directories are nested deeper than 4096",
                   .path = path.absolute()};
    }
    if (before.ref.page == after.ref.page) return after.ref;
    const Coverage coverage = spoken_for_.coverage_below(path);
    if (coverage == Coverage::kAll) return after.ref;
    if (coverage == Coverage::kNone && before.id == id) return before.ref;
    std::vector<DirectoryEdit> edits;
    SATCHEL_TRY(store::compare_directories(
        trees_, before.ref.page, after.ref.page,
        [&](const DirectoryDifference& difference) -> Result<void> {
          SATCHEL_ASSIGN(auto entry,
                         choose(path / difference.name(), before, after, id, difference, depth));
          const bool is_afters = difference.second == nullptr
                                     ? !entry.has_value()
                                     : entry.has_value() && *entry == *difference.second;
          if (!is_afters) edits.push_back({difference.name(), std::move(entry)});
          return {};
        }));
    return store::edit_directory(trees_, after.ref.page, edits);
  }

 private:
  Result<std::optional<Entry>> choose(const RelativePath& path, const Side& before,
                                      const Side& after, const FileId& id,
                                      const DirectoryDifference& difference, std::size_t depth) {
    const Entry* const first = difference.first;
    const Entry* const second = difference.second;
    const bool speaks = spoken_for_.contains(path, second != nullptr ? second->kind : first->kind);
    if (second != nullptr && second->is_directory()) {
      return choose_directory(path, before, after, id, difference, speaks, depth);
    }
    if (first == nullptr || !first->is_directory()) {
      if (speaks) return second != nullptr ? std::optional(*second) : std::nullopt;
      return first != nullptr ? std::optional(moved(*first, before.id, id)) : std::nullopt;
    }
    // A directory has gone: what is in it and not spoken for stays, and the directory with it.
    if (speaks && second != nullptr) return *second;
    const Side old{first->directory, first->effective_file_id(before.id)};
    SATCHEL_ASSIGN(const DirectoryRef left,
                   contents(path, old, Side{.id = old.id}, old.id, depth + 1));
    if (speaks && left.page == store::empty_directory_page()) return std::nullopt;
    Entry entry = moved(*first, before.id, id);
    entry.directory = left;
    return entry;
  }

  /// `difference.second` is a directory.
  Result<std::optional<Entry>> choose_directory(const RelativePath& path, const Side& before,
                                                const Side& after, const FileId& id,
                                                const DirectoryDifference& difference, bool speaks,
                                                std::size_t depth) {
    const Entry* const first = difference.first;
    const bool was_directory = first != nullptr && first->is_directory();
    const Side new_side{difference.second->directory,
                        difference.second->effective_file_id(after.id)};
    const Side old_side = was_directory
                              ? Side{first->directory, first->effective_file_id(before.id)}
                              : Side{.id = new_side.id};
    Entry entry = was_directory && !speaks ? moved(*first, before.id, id) : *difference.second;
    SATCHEL_ASSIGN(entry.directory,
                   contents(path, old_side, new_side, entry.effective_file_id(id), depth + 1));
    // Not spoken for, it can only be on the way to something that is.
    const bool is_needed =
        speaks || was_directory || entry.directory.page != store::empty_directory_page();
    if (is_needed) return entry;
    return first != nullptr ? std::optional(moved(*first, before.id, id)) : std::nullopt;
  }

  TreeStore& trees_;
  const PathSet& spoken_for_;
};

}  // namespace

PathSet travelling_paths(const PathRules& rules) {
  return {
      .contains = [&rules](const RelativePath& path,
                           store::Kind kind) { return rules.travels(path, kind); },
      .coverage_below = [&rules](const RelativePath& path) { return rules.coverage_below(path); },
  };
}

Result<Root> restrict_change(TreeStore& trees, const Root& before, const Root& after,
                             const PathSet& spoken_for) {
  Restriction restriction(trees, spoken_for);
  const FileId id = store::root_file_id();
  Root result = after;
  SATCHEL_ASSIGN(result.directory,
                 restriction.contents({}, {before.directory, id}, {after.directory, id}, id, 0));
  if (!spoken_for.contains({}, store::Kind::kDirectory)) result.attributes = before.attributes;
  return relink(trees, before, result);
}

}  // namespace satchel::syncer
