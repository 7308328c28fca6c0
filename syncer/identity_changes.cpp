#include "syncer/identity_changes.h"

#include <map>
#include <optional>

#include "store/directory.h"
#include "store/page_comparer.h"
#include "store/tree_walk.h"

namespace satchel::syncer {
namespace {

using store::DirectoryRef;
using store::Entry;
using store::FileId;
using store::PageId;

/// A directory somewhere in a tree.
struct Place {
  std::string path;
  FileId file_id;
  PageId page;
};

/// Two directories that are compared, wherever each is; one may be nothing.
struct Frame {
  store::PageComparer<Entry> names;
  Place base;
  Place side;
};

class IdentityWalk {
 public:
  IdentityWalk(store::TreeStore& trees, std::vector<IdentityAt>& found)
      : trees_(trees), found_(found) {}

  /// Directories that came or went are set aside, not entered.
  Result<void> compare(const Place& base, const Place& side) {
    SATCHEL_TRY(push(base, side));
    while (!frames_.empty()) {
      SATCHEL_ASSIGN(const bool differs, frames_.back().names.next());
      if (differs) {
        SATCHEL_TRY(take_name(frames_.back()));
      } else {
        frames_.pop_back();
      }
    }
    return {};
  }

  /// Enters what was set aside, until nothing is.
  Result<void> enter_set_aside(const store::Root& other) {
    while (!gone_.empty() || !come_.empty()) {
      const std::map<FileId, Place> gone = std::exchange(gone_, {});
      const std::map<FileId, Place> come = std::exchange(come_, {});
      for (const auto& [file_id, place] : come) {
        const auto origin = gone.find(file_id);
        const bool is_known = origin != gone.end();
        SATCHEL_ASSIGN(const bool is_moved,
                       is_known ? is_untouched(origin->second, other) : Result<bool>(false));
        SATCHEL_TRY(compare(is_moved ? origin->second : Place(), place));
        if (is_known && !is_moved) SATCHEL_TRY(compare(origin->second, Place()));
      }
      for (const auto& [file_id, place] : gone) {
        if (!come.contains(file_id)) SATCHEL_TRY(compare(place, Place()));
      }
    }
    return {};
  }

 private:
  Result<void> push(const Place& base, const Place& side) {
    SATCHEL_TRY(store::check_depth(frames_.size()));
    frames_.push_back({{trees_, base.page, side.page}, base, side});
    return {};
  }

  Result<void> take_name(const Frame& frame) {
    SATCHEL_ASSIGN(const auto in_base, place_of(frame.base, frame.names.first()));
    SATCHEL_ASSIGN(const auto in_side, place_of(frame.side, frame.names.second()));
    const bool is_same = in_base && in_side && in_base->file_id == in_side->file_id;
    if (is_same && !in_base->page.is_none() && !in_side->page.is_none()) {
      return push(*in_base, *in_side);
    }
    if (in_base) note(*in_base, is_same, gone_);
    if (in_side) note(*in_side, is_same, come_);
    return {};
  }

  void note(const Place& place, bool is_same, std::map<FileId, Place>& set_aside) {
    if (!is_same) found_.push_back({place.file_id, place.path});
    if (!place.page.is_none()) set_aside.emplace(place.file_id, place);
  }

  static Result<std::optional<Place>> place_of(const Place& directory, const Entry* entry) {
    if (entry == nullptr) return std::nullopt;
    SATCHEL_ASSIGN(std::string path, store::path_in(directory.path, entry->name));
    return Place{std::move(path), entry->effective_file_id(directory.file_id),
                 entry->is_directory() ? entry->directory.page : PageId{}};
  }

  /// `other` has the very directory at its old place.
  Result<bool> is_untouched(const Place& place, const store::Root& other) const {
    SATCHEL_ASSIGN(const RelativePath path, RelativePath::parse(place.path));
    SATCHEL_ASSIGN(const auto located, store::locate_path(trees_, other, path));
    return located && located->file_id == place.file_id && located->entry.is_directory() &&
           located->entry.directory.page == place.page;
  }

  store::TreeStore& trees_;
  std::vector<IdentityAt>& found_;
  std::vector<Frame> frames_;
  std::map<FileId, Place> gone_;
  std::map<FileId, Place> come_;
};

}  // namespace

Result<void> find_identity_changes(store::TreeStore& trees, const store::Root& base,
                                   const store::Root& side, const store::Root& other,
                                   std::vector<IdentityAt>& found) {
  IdentityWalk walk(trees, found);
  SATCHEL_TRY(walk.compare({"", store::root_file_id(), base.directory.page},
                           {"", store::root_file_id(), side.directory.page}));
  return walk.enter_set_aside(other);
}

Result<void> find_identities(store::TreeStore& trees, const store::Root& root,
                             const std::string& path, std::vector<IdentityAt>& found) {
  SATCHEL_ASSIGN(const RelativePath parsed, RelativePath::parse(path));
  SATCHEL_ASSIGN(const auto located, store::locate_path(trees, root, parsed));
  if (!located || !located->entry.is_directory()) return {};
  IdentityWalk walk(trees, found);
  SATCHEL_TRY(walk.compare({}, {path, located->file_id, located->entry.directory.page}));
  return walk.enter_set_aside(root);
}

}  // namespace satchel::syncer
