#include "syncer/identity_changes.h"

#include <map>
#include <optional>
#include <utility>

#include "store/directory.h"
#include "store/page_comparer.h"
#include "store/tree_walk.h"

namespace satchel::syncer {
namespace {

using store::Entry;
using store::FileId;
using store::PageId;
using store::Root;

/// A name in a tree; without entry: nowhere.
struct Place {
  std::string path;
  FileId file_id;
  std::optional<Entry> entry;

  [[nodiscard]] bool is_directory() const { return entry && entry->is_directory(); }
  [[nodiscard]] PageId page() const { return is_directory() ? entry->directory.page : PageId{}; }
};

/// Two directories that are one, wherever each is; `base` may be nowhere.
struct Frame {
  store::PageComparer<Entry> names;
  Place base;
  Place side;
};

class IdentityWalk {
 public:
  IdentityWalk(store::TreeStore& trees, std::vector<IdentityAt>& found)
      : trees_(trees), found_(found) {}

  Result<void> walk(const Root& base, const Root& side, const Root& other) {
    SATCHEL_TRY(compare({"", store::root_file_id(), base.as_entry()},
                        {"", store::root_file_id(), side.as_entry()}));
    while (!come_.empty()) {
      const std::map<FileId, Place> come = std::exchange(come_, {});
      const std::map<FileId, Place> gone = std::exchange(gone_, {});
      for (const auto& [file_id, place] : come) {
        const auto origin = gone.find(file_id);
        SATCHEL_ASSIGN(const bool is_moved, origin != gone.end()
                                                ? is_untouched(origin->second, other)
                                                : Result<bool>(false));
        SATCHEL_TRY(compare(is_moved ? origin->second : Place(), place));
      }
    }
    return {};
  }

  /// Directories that came or went are set aside, except inside of one that is new as a whole.
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

 private:
  Result<void> push(const Place& base, const Place& side) {
    SATCHEL_TRY(store::check_depth(frames_.size()));
    frames_.push_back({{trees_, base.page(), side.page()}, base, side});
    return {};
  }

  Result<void> take_name(const Frame& frame) {
    SATCHEL_ASSIGN(const Place base, place_of(frame.base, frame.names.first()));
    SATCHEL_ASSIGN(const Place side, place_of(frame.side, frame.names.second()));
    const bool has_same_id = base.entry && side.entry && base.file_id == side.file_id;
    if (has_same_id && base.is_directory() && side.is_directory()) return push(base, side);
    if (side.entry) {
      // A linked name has siblings, which need not have moved with it.
      const bool is_only_name = has_same_id && !base.entry->linked && !side.entry->linked;
      if (!is_only_name) found_.push_back({side.file_id, side.path});
    }
    if (!frame.base.entry) return side.is_directory() ? push({}, side) : Result<void>();
    if (base.is_directory()) gone_.emplace(base.file_id, base);
    if (side.is_directory()) come_.emplace(side.file_id, side);
    return {};
  }

  static Result<Place> place_of(const Place& directory, const Entry* entry) {
    if (entry == nullptr) return Place();
    SATCHEL_ASSIGN(std::string path, store::path_in(directory.path, entry->name));
    return Place{std::move(path), entry->effective_file_id(directory.file_id), *entry};
  }

  /// `other` has the very same there.
  Result<bool> is_untouched(const Place& place, const Root& other) const {
    SATCHEL_ASSIGN(const RelativePath path, RelativePath::parse(place.path));
    SATCHEL_ASSIGN(const auto located, store::locate_path(trees_, other, path));
    return located && located->file_id == place.file_id && located->entry == *place.entry;
  }

  store::TreeStore& trees_;
  std::vector<IdentityAt>& found_;
  std::vector<Frame> frames_;
  std::map<FileId, Place> gone_;
  std::map<FileId, Place> come_;
};

}  // namespace

Result<void> find_new_identities(store::TreeStore& trees, const Root& base, const Root& side,
                                 const Root& other, std::vector<IdentityAt>& found) {
  return IdentityWalk(trees, found).walk(base, side, other);
}

Result<void> find_identities(store::TreeStore& trees, const Root& root, const std::string& path,
                             std::vector<IdentityAt>& found) {
  SATCHEL_ASSIGN(const RelativePath parsed, RelativePath::parse(path));
  SATCHEL_ASSIGN(const auto located, store::locate_path(trees, root, parsed));
  if (!located || !located->entry.is_directory()) return {};
  return IdentityWalk(trees, found).compare({}, {path, located->file_id, located->entry});
}

}  // namespace satchel::syncer
