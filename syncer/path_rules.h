// What a round asks the redirect rules. cli/ answers it with the router.
#pragma once

#include <cstdint>

#include "store/ids.h"
#include "store/split.h"

namespace satchel::syncer {

/// Whether what stands below a directory belongs to a set of paths.
enum class Coverage : std::uint8_t {
  kAll,    ///< every path that could ever stand there
  kNone,   ///< none of them
  kMixed,  ///< it depends on the path, or would be too dear to say: costs time, is never wrong
};

/// Pure and thread-safe.
class PathRules {
 public:
  virtual ~PathRules() = default;
  /// A snapshot speaks for this path: it is synced, belongs to the machine or to the app layer.
  [[nodiscard]] virtual bool travels(const RelativePath& path, store::Kind kind) const = 0;
  /// travels() of all that is below `directory`, itself left out.
  [[nodiscard]] virtual Coverage coverage_below(const RelativePath& directory) const = 0;
  /// Meaningful for every path, those that do not travel too: other devices may have synced them.
  [[nodiscard]] virtual store::Area area_of(const RelativePath& path, store::Kind kind) const = 0;
  /// Two devices with the same id answer alike.
  [[nodiscard]] virtual store::RulesId rules_id() const = 0;
};

}  // namespace satchel::syncer
