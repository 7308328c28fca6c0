// What a redirect rule says of a path.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "base/path.h"

namespace satchel::policies {

enum class Action : std::uint8_t {
  kSync,     ///< travels with the person
  kMachine,  ///< kept per machine id, backed up, applied only there
  kLocal,    ///< stays on this device
  kDiscard,  ///< scratch, gone at unmount
  kImage,    ///< belongs to a layer; writes go to the personal app layer
  kDeny,     ///< EPERM
};
enum class DataClass : std::uint8_t { kData, kSysdata, kApp };

/// How two sides of a file that both changed become one.
enum class Merge : std::uint8_t {
  kByPolicy,  ///< no rule says; the mediator's policy for the class decides
  kFile,
  kText,
  kIni,
  kJson,
  kLinesUnion,
  kSqlite,
  kKeyring,
  kOurs,
  kTheirs,
};
/// Whose side stays live when both changed.
enum class Prefer : std::uint8_t { kByPolicy, kClient, kServer };
/// What is asked of the writers of a group before it is snapshot.
enum class Quiesce : std::uint8_t {
  kByPolicy,
  kNone,     ///< nothing: the group is frozen for milliseconds
  kSqlite,   ///< take SQLite's locks
  kProcess,  ///< wait until no process of that name runs
};

std::string_view to_text(Action action);
std::string_view to_text(DataClass data_class);
std::string_view to_text(Merge merge);
std::string_view to_text(Prefer prefer);

/// What the keys of a rule say besides its class. A value; the texts live as long as the rule set.
struct Attributes {
  static constexpr std::uint8_t kPrioDefault = 5;

  std::string_view app{};    ///< whose [app] block the rule stands in; empty outside of one
  std::string_view group{};  ///< "APP/NAME": the atomic set that the path belongs to; empty: none
  Merge merge = Merge::kByPolicy;
  Prefer prefer = Prefer::kByPolicy;
  Quiesce quiesce = Quiesce::kByPolicy;
  std::string_view quiesce_process{};  ///< for Quiesce::kProcess
  bool is_secret = false;              ///< not released on a machine that is not trusted
  std::uint8_t prio = kPrioDefault;    ///< 9 travels first, 0 last
  std::uint64_t bytes_max = 0;         ///< longer files stay here; 0: no limit
  friend bool operator==(const Attributes&, const Attributes&) = default;
};

/// The answer for one path. A value.
struct Decision {
  Action action = Action::kSync;
  DataClass data_class = DataClass::kSysdata;
  std::string_view rule{};    ///< the deciding rule's text; lives as long as the rule set
  std::string_view origin{};  ///< "file:line", or "built-in"
  Attributes attributes{};
  /// How many names, from the view's root, lead to the root of the group. Two paths are in one
  /// atomic set if they have the same group and the same group root.
  std::size_t group_root_names = 0;

  /// It is part of a snapshot: sync, machine or image.
  [[nodiscard]] bool travels() const {
    return action == Action::kSync || action == Action::kMachine || action == Action::kImage;
  }
  friend bool operator==(const Decision&, const Decision&) = default;
};
std::ostream& operator<<(std::ostream& out, const Decision& decision);

/// The directory that is the root of `path`'s group. `decision` is the one for `path`, with a
/// group.
RelativePath group_root_of(const RelativePath& path, const Decision& decision);

}  // namespace satchel::policies
