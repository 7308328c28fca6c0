// The router: what becomes of a path. Used by the view (deny, discard) and by the snapshot (areas).
#pragma once

#include <cstdint>
#include <memory>

#include "policies/rule.h"
#include "store/ids.h"
#include "store/split.h"

namespace satchel::redirector {

/// Whether what stands below a directory travels.
enum class Coverage : std::uint8_t {
  kAll,    ///< every path that could ever stand there
  kNone,   ///< none of them
  kMixed,  ///< it depends on the path, or would be too dear to say
};

/// One directory as rules see it: what stands in it is decided by one step, however deep it is.
/// Holds for the path it was made of and for one edition of the router, which it must not outlive.
class RoutedDirectory {
 public:
  virtual ~RoutedDirectory() = default;
  [[nodiscard]] virtual policies::Action action(const Name& name, store::Kind kind) const = 0;
};

/// Pure and thread-safe. Rules see the path from the view's root and what kind it is.
class Router {
 public:
  virtual ~Router() = default;
  [[nodiscard]] virtual policies::Decision decide(const RelativePath& path,
                                                  store::Kind kind) const = 0;
  /// What decide().travels() says of all paths below `directory`, itself left out. Lets a snapshot
  /// take or leave a whole directory without reading it, so kMixed costs time but is never wrong.
  [[nodiscard]] virtual Coverage coverage_below(const RelativePath& directory) const;
  /// For those who ask often of one directory.
  [[nodiscard]] virtual std::shared_ptr<const RoutedDirectory> enter(
      const RelativePath& directory) const;
  /// Moves on when rules are replaced: a directory that was entered before is out of date.
  [[nodiscard]] virtual std::uint64_t edition() const { return 0; }
  /// SHA-256 of the canonical text of all rules: two devices with the same id decide alike.
  [[nodiscard]] virtual store::RulesId rules_id() const = 0;
};

/// The area that a travelling path belongs to.
store::Area area_of(const policies::Decision& decision);

}  // namespace satchel::redirector
