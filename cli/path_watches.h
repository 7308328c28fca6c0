// What `rules learn` asks a mount's process: to watch what changes, and to say what it was.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/guarded.h"
#include "cli/rule_source.h"
#include "fs/change_watch.h"
#include "fs/control.h"
#include "fs/view.h"
#include "policies/rule_advice.h"
#include "redirector/router.h"

namespace satchel::cli {

/// Who asks may go away without a word, so the oldest watch makes room for a new one. Thread-safe.
class PathWatches {
 public:
  static constexpr std::size_t kWatchesMax = 8;

  /// `watch`: its number.
  Result<fs::ControlFields> begin(fs::View& view);
  /// Of the watch `watch`: `home`, `left_out`, and for each path what seen_paths() reads. Errors:
  /// ENOENT.
  Result<fs::ControlFields> end(fs::View& view, const redirector::Router& router,
                                const RuleSource& rules, const fs::ControlRequest& request);

 private:
  struct Watches {
    std::uint64_t next = 1;
    std::deque<std::pair<std::uint64_t, std::shared_ptr<fs::ChangeWatch>>> running;
  };
  Guarded<Watches> watches_;
};

/// The paths in what end() has answered.
std::vector<policies::SeenPath> seen_paths(const fs::ControlFields& fields);

}  // namespace satchel::cli
