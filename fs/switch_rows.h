// The upper in memory while a base switch is planned. Internal to fs/switch_*.cpp.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fs/switch_plan.h"

namespace satchel::fs {

/// One directory row with its changed names.
struct SwitchDirectory {
  UpperId id = 0;
  InodeRow row;
  std::optional<RelativePath> old_base_path;
  Dentry dentry;  ///< that leads here
  std::size_t parent = 0;
  std::string name;
  std::vector<NamedDentry> names;
  /// Where it was at the seal; none: it is younger.
  std::optional<RelativePath> sealed;
  std::optional<store::LocatedEntry> in_snapshot, in_next;  ///< directories only
  std::optional<RelativePath> next_base;
  bool is_new = false;  ///< has no row on disk yet
  bool is_kept = true;
};

/// One row that is not a directory's.
struct SwitchFile {
  InodeRow row;
  std::uint32_t names_in_snapshot = 0;  ///< names that are unchanged, travel and are there
  std::optional<RelativePath> path;     ///< one of those
  std::optional<store::LocatedEntry> in_snapshot, in_next;  ///< at `path`, or where it is now
  bool is_new = false;
  bool is_dropped = false;
  bool is_placed = false;  ///< in_snapshot and in_next are known
};

/// All rows, directories before what is in them.
struct SwitchRows {
  std::vector<SwitchDirectory> directories;
  std::map<UpperId, std::size_t> index;
  std::map<UpperId, SwitchFile> files;
  /// Paths of the next base that stay hidden where whiteouts are, whatever has changed there:
  /// directories elsewhere are merged with them, or nothing is new to who removed them.
  std::set<std::string> hidden;
};

/// Reads the upper, finds each directory in snapshot and next base, and gives rows to what a
/// directory without a place in them would lose, and to directories that were removed since the
/// seal, but changed by the other side.
Result<SwitchRows> load_rows(const SwitchInput& input);

/// `name` was removed before the seal, so the snapshot, and then the next base, know of it.
[[nodiscard]] bool was_removed_at_seal(const SwitchInput& input, const SwitchDirectory& directory,
                                       const NamedDentry& name, store::Kind kind);

/// What the last mediation said of `name` counts: it was given the name as it was sealed.
[[nodiscard]] bool was_mediated(const SwitchInput& input, const SwitchDirectory& directory,
                                const Name& name, store::Kind kind);

/// The two are the same entry, as trees compare them.
[[nodiscard]] bool same_encoding(const std::optional<store::LocatedEntry>& first,
                                 const std::optional<store::LocatedEntry>& second);

/// The entry `name` of a directory in a tree, if the directory is there.
Result<std::optional<store::LocatedEntry>> find_in(
    const BaseTree& tree, const std::optional<store::LocatedEntry>& directory, const Name& name);

}  // namespace satchel::fs
