#include "cli/path_provenance.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "store/directory.h"
#include "syncer/version_parts.h"

namespace satchel::cli {
namespace {

/// What one layer says: nothing, only that something stands below, or what the path is.
enum class Says { kNothing, kWay, kThis };

Result<Says> ask_layer(store::TreeStore& trees, const store::RootId& id, const RelativePath& path) {
  if (id.is_none()) return Says::kNothing;
  SATCHEL_ASSIGN(const auto root, trees.get_root(id));
  SATCHEL_ASSIGN(const auto entry, store::find_path(trees, root, path));
  if (!entry) return Says::kNothing;
  return entry->mark == store::DirectoryMark::kInherit ? Says::kWay : Says::kThis;
}

}  // namespace

Result<std::optional<Provenance>> find_provenance(store::TreeStore& trees,
                                                  const PersonLayers* person,
                                                  const store::ImageBody& image,
                                                  const RelativePath& path) {
  if (person != nullptr) {
    const std::array<std::pair<std::string_view, store::RootId>, 4> layers = {{
        {"machine", syncer::machine_layer(person->body, person->machine_id)},
        {"data", person->body.data},
        {"sysdata", person->body.sysdata},
        {"app", person->body.app},
    }};
    for (const auto& [name, root] : layers) {
      SATCHEL_ASSIGN(const Says says, ask_layer(trees, root, path));
      if (says == Says::kThis) {
        return Provenance{std::string(name), fmt::format("{}@{}", person->user, person->number)};
      }
    }
  }
  // A directory that no layer owns has the attributes of the lowest that has it.
  std::optional<Provenance> way;
  for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer) {
    SATCHEL_ASSIGN(const Says says, ask_layer(trees, layer->root, path));
    const Provenance here{layer->name, fmt::format("{}@{}", layer->name, layer->number)};
    if (says == Says::kThis) return here;
    if (says == Says::kWay) way = here;
  }
  return way;
}

}  // namespace satchel::cli
