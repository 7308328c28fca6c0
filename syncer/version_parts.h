// A workspace version as trees: what a device shows of it, and the layers that a new one is kept
// as.
#pragma once

#include <array>
#include <string>

#include "store/refs.h"
#include "store/split.h"
#include "store/tree_store.h"
#include "syncer/path_rules.h"

namespace satchel::syncer {

/// The layer that `machine_id` has in a version; none if it has none.
store::RootId machine_layer(const store::UserBody& version, const std::string& machine_id);

/// What the device with `machine_id` shows of a version: its composed tree, and on top of it the
/// machine's own layer. Needs put…() only if there is such a layer; cost: what that layer touches.
Result<store::Root> device_tree(store::TreeStore& trees, const store::UserBody& version,
                                const std::string& machine_id);

/// What a new version holds, as ids.
struct VersionParts {
  store::RootId app, sysdata, data, machine;  ///< none if empty
  store::RootId composed;
};

/// Who divides a tree, and by what.
struct Division {
  store::TreeStore& trees;
  const PathRules& rules;
  std::string machine_id;
};

/// Divides `tree`, this device's tree after a change to `previous` (whose tree here is
/// `previous_tree`), over the areas; image and other machines' layers stay those of `previous`.
///
/// What the rules say belongs to the machine goes into its layer alone. It does not move what
/// others share: where another device has synced a path that is the machine's by these rules, the
/// shared layers keep it as it is, and this device's layer lies over it. So rules may differ, and
/// nothing is deleted anywhere. Cost: what differs between the trees, and all that the person ever
/// changed if the rules differ from those of `previous`.
Result<VersionParts> divide_tree(const Division& division, const store::UserBody& previous,
                                 const store::Root& previous_tree, const store::Root& tree);

}  // namespace satchel::syncer
