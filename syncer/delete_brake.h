// The delete brake: a round that would delete a great part of a tree stops.
#pragma once

#include <cstdint>
#include <string_view>

#include "store/tree_store.h"

namespace satchel::syncer {

struct DeleteBrake {
  std::uint64_t files_max = 50;  ///< deleting up to this many never stops a round
  unsigned percent_max = 20;     ///< and neither does up to this part of the files that are there
};

/// Errors: ECANCELED/kDeleteBrake if going from `before` to `after` would delete more than the
/// brake allows; `whose` ("this device", "the repository") names the side. A file whose content is
/// still there under a new name was renamed. Cost: what differs, and only if that is much, some of
/// the rest.
Result<void> check_delete_brake(store::TreeStore& trees, const store::Root& before,
                                const store::Root& after, const DeleteBrake& brake,
                                std::string_view whose);

}  // namespace satchel::syncer
