// The router: what becomes of a path. Used by the view (deny, discard) and by the snapshot (areas).
#pragma once

#include <memory>
#include <span>

#include "policies/rule.h"
#include "store/ids.h"
#include "store/split.h"

namespace satchel::redirector {

/// Pure and thread-safe. Rules see the path from the view's root and whether it is a directory.
class Router {
 public:
  virtual ~Router() = default;
  [[nodiscard]] virtual policies::Decision decide(const RelativePath& path, store::Kind kind) const = 0;
  /// SHA-256 of the canonical text of all rules: two devices with the same id decide alike.
  [[nodiscard]] virtual store::RulesId rules_id() const = 0;
};

/// The area that a travelling path belongs to.
store::Area area_of(const policies::Decision& decision);

/// The rules that are built in: under /usr, /opt, /lib*, /bin, /sbin and the package databases `image class=app`; /home `sync class=data` with hidden names and
/// the rest `sync class=sysdata`; /tmp, /run, /var/tmp, /var/cache, /var/log, /proc, /sys, /dev `local`; the machine's own names `machine`.
std::unique_ptr<Router> make_builtin_router();

}  // namespace satchel::redirector
