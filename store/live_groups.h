// Sets of files that a snapshot takes as of one moment or not at all, as a round sees them.
// Implemented by fs, called by syncer.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/live_upper.h"

namespace satchel::store {

/// An atomic set: the paths below `root` that the rules give to `name`. A browser's profile, the
/// `.git` of a repository, a database's directory. A value.
struct PathGroup {
  std::string name;  ///< "APP/NAME", as the rule has it
  RelativePath root;
  friend auto operator<=>(const PathGroup&, const PathGroup&) = default;
};

struct GroupMember {
  RelativePath path;
  Kind kind = Kind::kFile;
  friend bool operator==(const GroupMember&, const GroupMember&) = default;
};

/// A member that moves, or may. A value.
struct Unrest {
  enum class Cause : std::uint8_t {
    kOpenForWriting,  ///< or mapped
    kChanged,         ///< its bytes, its attributes or, for a directory, the names in it
  };
  RelativePath path;
  Cause cause = Cause::kChanged;
  friend bool operator==(const Unrest&, const Unrest&) = default;
};

/// What counts as a change. A file that is open for writing is never quiet.
struct QuietTerms {
  /// Whatever changed after the seal of this generation.
  std::optional<Generation> unchanged_since{};
  /// Whatever changed so short a time ago. 0: nothing does.
  std::chrono::milliseconds unchanged_for{0};
};

/// Goes by the rules of one moment, which stay the same while this lives.
///
/// A set is as of one moment if it is asked in this order: LiveUpper::seal(), list_members(), read
/// them, find_unrest() with `unchanged_since` the sealed generation, and there is none.
///
/// Thread-safe. Errors: those of LiveUpper.
class LiveGroups {
 public:
  virtual ~LiveGroups() = default;
  /// The group that `path` belongs to, whether it is there or not.
  [[nodiscard]] virtual std::optional<PathGroup> find_group(const RelativePath& path,
                                                            Kind kind) const = 0;
  /// All members that the view shows, changed or not; a directory before what is in it. Costs a
  /// look at every name below the root of the group.
  virtual Result<std::vector<GroupMember>> list_members(const PathGroup& group) = 0;
  /// Why the group is not quiet; empty: it is. The root counts as a member: names come and go in
  /// it. A directory in which an ordinary name would be no member does not count. Costs a look at
  /// what is changed below the root and at all open files.
  virtual Result<std::vector<Unrest>> find_unrest(const PathGroup& group,
                                                  const QuietTerms& terms) = 0;
};

}  // namespace satchel::store
