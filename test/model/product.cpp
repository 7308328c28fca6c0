#include "test/model/product.h"

#include <algorithm>
#include <stdexcept>

#include "store/diff.h"
#include "store/directory.h"
#include "store/links.h"
#include "store/page_builder.h"
#include "store/split.h"
#include "store/stack.h"
#include "syncer/mediator.h"

namespace satchel::model {
namespace {

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(satchel::to_text(result.error()));
  return *std::move(result);
}

template <std::size_t Size>
std::array<std::byte, Size> to_bytes(const std::array<std::uint8_t, Size>& numbers) {
  std::array<std::byte, Size> bytes{};
  std::ranges::transform(numbers, bytes.begin(), [](auto number) { return std::byte{number}; });
  return bytes;
}

template <std::size_t Size>
std::array<std::uint8_t, Size> to_numbers(const std::array<std::byte, Size>& bytes) {
  std::array<std::uint8_t, Size> numbers{};
  std::ranges::transform(bytes, numbers.begin(),
                         [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return numbers;
}

store::Entry to_entry(store::TreeStore& trees, const std::string& name, const Node& node) {
  store::Entry entry;
  entry.name = Name::checked(name);
  entry.kind = static_cast<store::Kind>(node.kind);
  if (node.is_whiteout()) return entry;
  entry.attributes.mode = static_cast<std::uint16_t>(node.mode);
  entry.attributes.uid = node.uid;
  entry.attributes.gid = node.gid;
  entry.attributes.mtime = {node.mtime_s, node.mtime_ns};
  entry.attributes.xattrs = value_of(store::write_xattrs(trees, node.xattrs));
  if (node.file_id) entry.file_id = store::FileId{to_bytes(node.file_id->bytes)};
  entry.linked = node.linked;
  entry.content = {{to_bytes(node.content.digest)}, node.content.size};
  entry.target = node.target;
  entry.device = {node.device_major, node.device_minor};
  if (node.opaque) entry.mark = store::DirectoryMark::kOpaque;
  if (node.inherit) entry.mark = store::DirectoryMark::kInherit;
  if (!node.is_directory()) return entry;
  store::DirectoryBuilder builder(trees);
  for (const auto& [child_name, child] : node.children) {
    const Result<void> appended = builder.append(to_entry(trees, child_name, child));
    if (!appended) throw std::runtime_error(satchel::to_text(appended.error()));
  }
  entry.directory = value_of(builder.finish());
  return entry;
}

Node to_node(store::TreeStore& trees, const store::Entry& entry) {
  Node node;
  node.kind = static_cast<Kind>(entry.kind);
  if (entry.is_whiteout()) return node;
  node.mode = entry.attributes.mode;
  node.uid = entry.attributes.uid;
  node.gid = entry.attributes.gid;
  node.mtime_s = entry.attributes.mtime.seconds;
  node.mtime_ns = entry.attributes.mtime.nanoseconds;
  node.xattrs = value_of(store::read_xattrs(trees, entry.attributes.xattrs));
  if (entry.file_id) node.file_id = FileId{to_numbers(entry.file_id->bytes)};
  node.linked = entry.linked;
  node.content.size = entry.content.size;
  node.content.digest = to_numbers(entry.content.digest.bytes);
  node.target = entry.target;
  node.device_major = entry.device.major;
  node.device_minor = entry.device.minor;
  node.opaque = entry.mark == store::DirectoryMark::kOpaque;
  node.inherit = entry.mark == store::DirectoryMark::kInherit;
  if (!entry.is_directory()) return node;
  for (const store::Entry& child : value_of(store::list_directory(trees, entry.directory.page))) {
    node.children.emplace(child.name.text(), to_node(trees, child));
  }
  return node;
}

/// The product's answer, if it is the model's.
template <typename T>
T agreed(const std::string& function, const std::vector<Layer>& arguments, const T& expected,
         const T& actual) {
  if (expected == actual) return actual;
  std::string text = function + " differs from the model\n";
  for (const Layer& layer : arguments) text += "argument\n" + dump(layer);
  throw std::runtime_error(text + "model\n" + dump(expected) + "product\n" + dump(actual));
}

store::AreaOf area_function(const AreaOf& area_of) {
  return [area_of](const RelativePath& path, store::Kind kind) {
    return static_cast<store::Area>(area_of(path.text(), static_cast<Kind>(kind)));
  };
}

Side side_of(syncer::LiveSide side) {
  return side == syncer::LiveSide::kServer ? Side::kServer : Side::kClient;
}

Mediation mediation_of(store::TreeStore& trees, const syncer::Mediation& mediation) {
  Mediation result;
  result.merged = to_model(trees, mediation.merged);
  result.losers = to_model(trees, mediation.losers);
  for (const syncer::Conflict& conflict : mediation.conflicts) {
    result.conflicts.push_back(
        {conflict.path.text(), static_cast<ConflictKind>(conflict.kind), side_of(conflict.loser)});
  }
  return result;
}

}  // namespace

store::Root to_product(store::TreeStore& trees, const Layer& layer) {
  std::vector<store::LinkItem> links;
  for (const Place& place : list_places(layer)) {
    if (place.node->linked) {
      links.push_back({store::FileId{to_bytes(place.file_id.bytes)}, place.path});
    }
  }
  return store::Root::from_entry(to_entry(trees, "?", layer.root),
                                 value_of(store::build_links(trees, std::move(links))));
}

Layer to_model(store::TreeStore& trees, const store::Root& root) {
  Layer layer{to_node(trees, root.as_entry())};
  layer.root.file_id.reset();
  const store::Root again = to_product(trees, layer);
  if (again.links != root.links) throw std::runtime_error("wrong link table\n" + dump(layer));
  if (again != root) throw std::runtime_error("not canonical\n" + dump(layer));
  return layer;
}

Functions product_functions(store::TreeStore& trees) {
  const auto in = [&trees](const Layer& layer) { return to_product(trees, layer); };
  const auto out = [&trees](const store::Root& root) { return to_model(trees, root); };
  const auto all_in = [in](const std::vector<Layer>& layers) {
    std::vector<store::Root> roots;
    for (const Layer& layer : layers) roots.push_back(in(layer));
    return roots;
  };
  Functions f = model_functions();
  f.stack = [&trees, in, out](const Layer& lower, const Layer& upper) {
    return agreed("stack", {lower, upper}, stack(lower, upper),
                  out(value_of(store::stack(trees, in(lower), in(upper)))));
  };
  f.flatten = [&trees, in, out](const Layer& layer) {
    return agreed("flatten", {layer}, flatten(layer),
                  out(value_of(store::flatten(trees, in(layer)))));
  };
  f.compose = [&trees, out, all_in](const std::vector<Layer>& layers) {
    const auto roots = all_in(layers);
    const Tree composed =
        agreed("compose", layers, compose(layers), out(value_of(store::compose(trees, roots))));
    const bool is_onto_tree = is_tree(layers.front()) && check_tree(layers.front()).empty();
    if (!is_onto_tree) return composed;
    return agreed(
        "compose_onto", layers, composed,
        out(value_of(store::compose_onto(trees, roots.front(), std::span(roots).subspan(1)))));
  };
  f.diff = [&trees, in, out](const Tree& below, const Tree& tree) {
    return agreed("diff", {below, tree}, diff(below, tree),
                  out(value_of(store::diff(trees, in(below), in(tree)))));
  };
  f.split = [&trees, in, out](const Layer& layer, const AreaOf& area_of) {
    const Parts expected = split(layer, area_of);
    const store::Parts roots = value_of(store::split(trees, in(layer), area_function(area_of)));
    Parts parts;
    for (std::size_t i = 0; i < kAreas; ++i) {
      parts[i] = agreed("split", {layer}, expected[i], out(roots[i]));
    }
    return parts;
  };
  f.join = [&trees, out, all_in](const std::vector<Layer>& parts) {
    return agreed("join", parts, join(parts), out(value_of(store::join(trees, all_in(parts)))));
  };
  f.mediate = [&trees, in](const Tree& base, const Tree& client, const Tree& server, Side live) {
    const auto mediation = value_of(syncer::mediate(
        trees, in(base), in(client), in(server),
        live == Side::kServer ? syncer::LiveSide::kServer : syncer::LiveSide::kClient));
    return agreed("mediate", {base, client, server}, mediate(base, client, server, live),
                  mediation_of(trees, mediation));
  };
  return f;
}

}  // namespace satchel::model
