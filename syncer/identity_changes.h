// Where file ids came to and went from between two trees. Finds the names that may share one.
#pragma once

#include <string>
#include <vector>

#include "store/tree_store.h"

namespace satchel::syncer {

/// A name that has or had a file id.
struct IdentityAt {
  store::FileId file_id;
  std::string path;
  friend auto operator<=>(const IdentityAt&, const IdentityAt&) = default;
};

/// Adds to `found` each name of `base` whose file id `side` does not have there, and each of `side`
/// that `base` does not have there. What moved with its directory, which `other` (a third tree)
/// left alone, is left out: there is no second name for it. Cost: the pages that differ.
Result<void> find_identity_changes(store::TreeStore& trees, const store::Root& base,
                                   const store::Root& side, const store::Root& other,
                                   std::vector<IdentityAt>& found);

/// Adds all that is in the directory at `path`, with its file ids there.
Result<void> find_identities(store::TreeStore& trees, const store::Root& root,
                             const std::string& path, std::vector<IdentityAt>& found);

}  // namespace satchel::syncer
