// Which names got a file id that they did not have. Finds those that may share one with another.
#pragma once

#include <string>
#include <vector>

#include "store/tree_store.h"

namespace satchel::syncer {

/// A name and the file id that it has.
struct IdentityAt {
  store::FileId file_id;
  std::string path;
  friend auto operator<=>(const IdentityAt&, const IdentityAt&) = default;
};

/// Adds to `found` each name of `side` that has a file id which it does not have in `base`. What
/// came with its directory from where `other` (a third tree) has left it alone is left out:
/// mediation leaves nothing there, so it has no second name. Cost: the pages that differ.
Result<void> find_new_identities(store::TreeStore& trees, const store::Root& base,
                                 const store::Root& side, const store::Root& other,
                                 std::vector<IdentityAt>& found);

/// Adds all that is in the directory at `path`; nothing if there is none.
Result<void> find_identities(store::TreeStore& trees, const store::Root& root,
                             const std::string& path, std::vector<IdentityAt>& found);

}  // namespace satchel::syncer
