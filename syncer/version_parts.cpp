#include "syncer/version_parts.h"

#include <algorithm>
#include <optional>

#include "store/diff.h"
#include "store/stack.h"
#include "syncer/restrict.h"

namespace satchel::syncer {
namespace {

using store::Area;
using store::Kind;
using store::Parts;
using store::Root;
using store::RootId;
using store::TreeStore;
using store::UserBody;

Result<Root> layer_or_empty(TreeStore& trees, const RootId& id) {
  if (id.is_none()) return store::empty_layer();
  return trees.get_root(id);
}

Result<RootId> put_layer(TreeStore& trees, const Root& layer) {
  if (layer == store::empty_layer()) return RootId{};
  return trees.put_root(layer);
}

std::size_t index_of(Area area) {
  return static_cast<std::size_t>(area);
}

/// Where rules take a path for the machine's, what is shared of it is settings.
Area shared_area_of(const PathRules& rules, const RelativePath& path, Kind kind) {
  const Area area = rules.area_of(path, kind);
  return area == Area::kMachine ? Area::kSysdata : area;
}

PathSet shared_paths(const PathRules& rules) {
  return {
      .contains =
          [&rules](const RelativePath& path, Kind kind) {
            return rules.travels(path, kind) && rules.area_of(path, kind) != Area::kMachine;
          },
      // Which area all below a directory has, rules do not say.
      .coverage_below =
          [&rules](const RelativePath& path) {
            return rules.coverage_below(path) == Coverage::kNone ? Coverage::kNone
                                                                 : Coverage::kMixed;
          },
  };
}

/// The tree that all devices share after the change: `tree` without what is the machine's.
Result<Root> shared_tree(const Division& division, const Root& previous_shared,
                         const Root& previous_tree, const Root& tree) {
  if (previous_tree != previous_shared) {
    return restrict_change(division.trees, previous_shared, tree, shared_paths(division.rules));
  }
  // Nothing of a machine's lies over the shared tree, so only what has changed can be its own.
  bool touches_machine = false;
  SATCHEL_TRY(store::walk_changes(
      division.trees, previous_tree, tree, [&](const store::Change& change) -> Result<void> {
        const Kind kind = change.second != nullptr ? change.second->kind : change.first->kind;
        const Area area = division.rules.area_of(change.path, kind);
        touches_machine = touches_machine || area == Area::kMachine;
        return {};
      }));
  if (!touches_machine) return tree;
  return restrict_change(division.trees, previous_shared, tree, shared_paths(division.rules));
}

Result<Parts> shared_parts(const Division& division, const UserBody& previous,
                           const Root& previous_shared, const Root& shared) {
  const auto area_of = [&](const RelativePath& path, Kind kind) {
    return shared_area_of(division.rules, path, kind);
  };
  SATCHEL_ASSIGN(const Root image, division.trees.get_root(previous.image_root));
  if (previous.rules != division.rules.rules_id() && !previous.rules.is_none()) {
    SATCHEL_ASSIGN(const Root change, store::diff(division.trees, image, shared));
    return store::split(division.trees, change, area_of);
  }
  Parts old;
  SATCHEL_ASSIGN(old[index_of(Area::kApp)], layer_or_empty(division.trees, previous.app));
  SATCHEL_ASSIGN(old[index_of(Area::kSysdata)], layer_or_empty(division.trees, previous.sysdata));
  SATCHEL_ASSIGN(old[index_of(Area::kData)], layer_or_empty(division.trees, previous.data));
  old[index_of(Area::kMachine)] = store::empty_layer();
  return store::update_parts(division.trees, image, previous_shared, old, shared, area_of);
}

}  // namespace

RootId machine_layer(const UserBody& version, const std::string& machine_id) {
  const auto found =
      std::ranges::find(version.machines, machine_id, &store::MachineLayer::machine_id);
  return found != version.machines.end() ? found->root : RootId{};
}

Result<Root> device_tree(TreeStore& trees, const UserBody& version, const std::string& machine_id) {
  SATCHEL_ASSIGN(const Root shared, trees.get_root(version.composed));
  const RootId own = machine_layer(version, machine_id);
  if (own.is_none()) return shared;
  SATCHEL_ASSIGN(const Root layer, trees.get_root(own));
  const std::array layers{shared, layer};
  return store::compose(trees, layers);
}

Result<VersionParts> divide_tree(const Division& division, const UserBody& previous,
                                 const Root& previous_tree, const Root& tree) {
  TreeStore& trees = division.trees;
  SATCHEL_ASSIGN(const Root previous_shared, trees.get_root(previous.composed));
  SATCHEL_ASSIGN(const Root shared, shared_tree(division, previous_shared, previous_tree, tree));
  SATCHEL_ASSIGN(const Parts parts, shared_parts(division, previous, previous_shared, shared));
  VersionParts ids;
  SATCHEL_ASSIGN(ids.app, put_layer(trees, parts[index_of(Area::kApp)]));
  SATCHEL_ASSIGN(ids.sysdata, put_layer(trees, parts[index_of(Area::kSysdata)]));
  SATCHEL_ASSIGN(ids.data, put_layer(trees, parts[index_of(Area::kData)]));
  SATCHEL_ASSIGN(ids.composed, trees.put_root(shared));
  if (tree != shared) {
    SATCHEL_ASSIGN(const Root machine, store::diff(trees, shared, tree));
    SATCHEL_ASSIGN(ids.machine, put_layer(trees, machine));
  }
  return ids;
}

}  // namespace satchel::syncer
