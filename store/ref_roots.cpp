#include "store/ref_roots.h"

namespace satchel::store {
namespace {

// A layer's `built_on` is not among them: it says where the layer comes from, and nobody reads it.
std::vector<RootId> roots_of(const LayerBody& body) {
  return {body.root};
}

std::vector<RootId> roots_of(const ImageBody& body) {
  std::vector<RootId> roots = {body.composed};
  for (const ImageLayer& layer : body.layers) roots.push_back(layer.root);
  return roots;
}

std::vector<RootId> roots_of(const UserBody& body) {
  std::vector<RootId> roots = {body.image_root, body.composed, body.app,
                               body.sysdata,    body.data,     body.conflicts};
  for (const MachineLayer& machine : body.machines) roots.push_back(machine.root);
  return roots;
}

}  // namespace

std::vector<RootId> list_roots(const RefBody& body) {
  std::vector<RootId> roots = std::visit([](const auto& value) { return roots_of(value); }, body);
  std::erase_if(roots, [](const RootId& root) { return root.is_none(); });
  return roots;
}

}  // namespace satchel::store
