// What a base switch does to the rows of the upper: decided here, carried out by View.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fs/base_tree.h"
#include "fs/upper.h"
#include "store/live_upper.h"

namespace satchel::fs {

/// Where the rows stood when they were sealed.
struct SealedPlaces {
  Generation generation = 0;
  std::unordered_map<UpperId, RelativePath> paths;             ///< one of them, for a linked file
  std::unordered_map<std::string, RelativePath> by_base_path;  ///< directories, by row.base_path

  /// Names that only the upper had. One of them that goes after the seal leaves no whiteout, for
  /// the old base does not have it; the next one does.
  std::unordered_map<UpperId, std::vector<std::string>> names;

  /// Where the view showed the base directory `base_path`.
  [[nodiscard]] std::optional<RelativePath> find_base(const RelativePath& base_path) const;
};

/// What a plan is made from; all borrowed.
struct SwitchInput {
  Upper& upper;
  const BaseTree& old_base;
  const BaseTree& snapshot;
  const BaseTree& next;
  const SealedPlaces& sealed;
  const store::BaseSwitch& change;
  const std::set<UpperId>& written;  ///< files that are open for writing
};

/// The batch, and what memory has to follow.
struct SwitchPlan {
  store::MetadataBatch batch;
  std::vector<std::pair<UpperId, InodeRow>> kept;  ///< rows that stay, as they are then
  /// Of those, the ones that were entries of the base until now, or removed, by each of their
  /// names.
  struct Made {
    UpperId id = 0;
    UpperId parent = 0;
    std::string name;
  };
  std::vector<Made> made;
  /// Of those, files that hold something else from now on: their names, by directory.
  std::map<UpperId, std::vector<std::pair<UpperId, std::string>>> renewed;
  /// Names that were removed here, and are there again: by directory.
  std::vector<std::pair<UpperId, std::string>> uncovered;
  /// Rows that became entries of the base; parents before what is in them.
  struct Dropped {
    UpperId id = 0;
    store::Kind kind = store::Kind::kFile;
    RelativePath path;                           ///< in the snapshot
    std::optional<store::Entry> snapshot, next;  ///< the entry there
  };
  std::vector<Dropped> dropped;
  /// Files whose bytes in upper/ are a content of the base from now on.
  std::vector<std::pair<UpperId, store::ContentId>> adopted;
  /// Names that only the upper had, by directory, with the position that they had.
  std::map<UpperId, std::vector<std::pair<std::uint64_t, std::string>>> committed;
};

/// Rows up to the sealed generation that are in the snapshot go; what changed later, or does not
/// travel, or is open for writing, stays and becomes a change of the next base: fields that still
/// equal the snapshot's take the next base's, and where the two differ the snapshot's entry is kept
/// as origin. A directory that leaves the base it was merged with gets rows for all that was in it;
/// in one that was removed since the seal, what the other side has changed is shown. Reads rows and
/// trees, changes nothing. Errors: those of Upper and of the tree store.
Result<SwitchPlan> plan_switch(const SwitchInput& input);

}  // namespace satchel::fs
