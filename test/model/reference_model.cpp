#include "test/model/reference_model.h"

#include <openssl/evp.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "test/model/reference_links.h"

namespace satchel::model {
namespace {

Hash sha256(std::string_view bytes) {
  Hash hash{};
  static const EVP_MD* const algorithm = EVP_sha256();
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, algorithm, nullptr) != 1) {
    throw std::runtime_error("SHA-256 failed");
  }
  return hash;
}

std::string text_of(const Hash& hash) {
  return {hash.begin(), hash.end()};
}
std::string text_of(const FileId& id) {
  return {id.bytes.begin(), id.bytes.end()};
}

FileId first_half(const Hash& hash) {
  FileId id;
  std::copy_n(hash.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

/// RFC 6962 over leaves of 64 KiB.
Hash leaf_tree(std::string_view bytes) {
  constexpr std::size_t kLeaf = 65536;
  if (bytes.size() <= kLeaf) return sha256(std::string(1, '\0') + std::string(bytes));
  std::size_t left = kLeaf;
  while (left * 2 < bytes.size()) left *= 2;
  return sha256('\1' + text_of(leaf_tree(bytes.substr(0, left))) +
                text_of(leaf_tree(bytes.substr(left))));
}

std::string join_path(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

bool same_attributes(const Node& a, const Node& b) {
  return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.mtime_s == b.mtime_s &&
         a.mtime_ns == b.mtime_ns && a.xattrs == b.xattrs;
}

void copy_attributes(const Node& from, Node& to) {
  to.mode = from.mode;
  to.uid = from.uid;
  to.gid = from.gid;
  to.mtime_s = from.mtime_s;
  to.mtime_ns = from.mtime_ns;
  to.xattrs = from.xattrs;
}

const Node* find(const std::map<std::string, Node>& children, const std::string& name) {
  const auto found = children.find(name);
  return found == children.end() ? nullptr : &found->second;
}

std::set<std::string> all_names(std::initializer_list<const Node*> directories) {
  std::set<std::string> names;
  for (const Node* directory : directories) {
    if (directory == nullptr) continue;
    for (const auto& [name, child] : directory->children) names.insert(name);
  }
  return names;
}

void list_into(const Node& directory, const FileId& id, const std::string& path,
               std::vector<Place>& places) {
  for (const auto& [name, child] : directory.children) {
    const FileId child_id = child.file_id ? *child.file_id : default_file_id(id, name);
    const std::string child_path = join_path(path, name);
    places.push_back({child_path, child_id, &child});
    list_into(child, child_id, child_path, places);
  }
}

// ---------------------------------------------------------------------------------------- stack

/// What has nothing below it.
std::optional<Node> clean(const Node& entry, Bug bug) {
  if (entry.is_whiteout() && bug != Bug::kFlattenKeepsWhiteout) return std::nullopt;
  Node result = entry;
  result.opaque = false;
  result.inherit = false;
  result.children.clear();
  for (const auto& [name, child] : entry.children) {
    if (auto kept = clean(child, bug)) result.children.emplace(name, *std::move(kept));
  }
  return result;
}

/// Whether marks can have an effect at this place of the result.
enum class Inside { kLayer, kOpaque };

std::optional<Node> stack_names(const Node* lower, const Node* upper, Inside inside, Bug bug);

Node stack_directories(const Node& lower, const Node& upper, Inside inside, Bug bug) {
  Node result = lower;  // its file id and opaque mark
  if (!upper.inherit || bug == Bug::kStackInheritOverwrites) {
    copy_attributes(upper, result);
    result.inherit = false;
  }
  const Inside within = lower.opaque ? Inside::kOpaque : inside;
  result.children.clear();
  for (const std::string& name : all_names({&lower, &upper})) {
    auto child = stack_names(find(lower.children, name), find(upper.children, name), within, bug);
    if (child) result.children.emplace(name, *std::move(child));
  }
  return result;
}

std::optional<Node> stack_names(const Node* lower, const Node* upper, Inside inside, Bug bug) {
  if (upper == nullptr) return *lower;
  if (lower == nullptr) return inside == Inside::kOpaque ? clean(*upper, bug) : *upper;
  if (upper->is_whiteout()) {
    if (inside == Inside::kOpaque && bug != Bug::kStackKeepsWhiteoutInOpaque) return std::nullopt;
    return *upper;
  }
  if (!upper->is_directory() || upper->opaque) {
    Node result = *upper;
    if (inside == Inside::kOpaque) result.opaque = false;
    return result;
  }
  if (!lower->is_directory()) {
    std::optional<Node> result = clean(*upper, bug);
    result->opaque = inside == Inside::kLayer && bug != Bug::kStackForgetsOpaque;
    return result;
  }
  return stack_directories(*lower, *upper, inside, bug);
}

// ---------------------------------------------------------------------------------------- diff

/// Of two directories with one file id that are not equal.
Node diff_directories(const Node& below, const Node& tree, Bug bug) {
  Node result = tree;
  result.inherit = same_attributes(below, tree) && bug != Bug::kDiffOwnsUnchanged;
  result.children.clear();
  for (const std::string& name : all_names({&below, &tree})) {
    const Node* old_entry = find(below.children, name);
    const Node* entry = find(tree.children, name);
    if (entry == nullptr) {
      result.children.emplace(name, whiteout());
      continue;
    }
    if (old_entry == nullptr) {
      result.children.emplace(name, *entry);
      if (bug == Bug::kDiffEmitsNeedlessWhiteout && !tree.children.contains(name + "~")) {
        result.children.emplace(name + "~", whiteout());
      }
      continue;
    }
    if (*old_entry == *entry) continue;
    if (bug == Bug::kDiffMissesMtime && !entry->is_directory()) {
      Node touched = *old_entry;
      touched.mtime_s = entry->mtime_s;
      touched.mtime_ns = entry->mtime_ns;
      if (touched == *entry) continue;
    }
    if (!entry->is_directory() || !old_entry->is_directory()) {
      result.children.emplace(name, *entry);
      continue;
    }
    if (old_entry->file_id == entry->file_id) {
      result.children.emplace(name, diff_directories(*old_entry, *entry, bug));
    } else {
      Node replaced = *entry;
      replaced.opaque = bug != Bug::kDiffForgetsOpaque;
      result.children.emplace(name, replaced);
    }
  }
  return result;
}

// ---------------------------------------------------------------------------------------- split

bool belongs_to_an_area(const Node& node) {
  return !node.is_directory() || node.opaque || !node.inherit || node.children.empty();
}

/// The part of `directory` that belongs to `area`; it may be without entries.
void split_children(const Node& directory, const std::string& path, const AreaOf& area_of,
                    Area area, Bug bug, Node& part) {
  for (const auto& [name, child] : directory.children) {
    const std::string child_path = join_path(path, name);
    const bool mine = belongs_to_an_area(child) && area_of(child_path, child.kind) == area;
    if (child.is_whiteout() && bug == Bug::kSplitDropsWhiteout) continue;
    Node piece = child;
    piece.children.clear();
    if (!mine) {
      piece.inherit = bug != Bug::kSplitCopiesOwn || child.inherit;
      piece.opaque = false;
      if (bug == Bug::kSplitWayLosesId) piece.file_id.reset();
    }
    split_children(child, child_path, area_of, area, bug, piece);
    if (mine || !piece.children.empty()) part.children.emplace(name, piece);
  }
}

bool is_way(const Node& node) {
  return node.is_directory() && node.inherit;
}

Node join_nodes(const std::vector<const Node*>& nodes, Inside inside, Bug bug) {
  const Node* counts = nodes.front();
  for (const Node* node : nodes) {
    if (node == counts || bug == Bug::kJoinFirstWins) continue;
    if (is_way(*counts)) {
      counts = node;
    } else if (!is_way(*node)) {
      throw std::invalid_argument("two parts hold one name");
    }
  }
  Node result = *counts;
  const Inside within = result.opaque ? Inside::kOpaque : inside;
  if (inside == Inside::kOpaque) {
    result.inherit = false;
    result.opaque = false;
  }
  result.children.clear();
  std::map<std::string, std::vector<const Node*>> names;
  for (const Node* node : nodes) {
    for (const auto& [name, child] : node->children) names[name].push_back(&child);
  }
  if (!names.empty() && !result.is_directory()) {
    if (bug == Bug::kJoinFirstWins) return result;
    throw std::invalid_argument("a part has entries in what is no directory in another");
  }
  for (const auto& [name, found] : names) {
    Node child = join_nodes(found, within, bug);
    if (within == Inside::kOpaque && child.is_whiteout()) continue;
    result.children.emplace(name, std::move(child));
  }
  return result;
}

}  // namespace

// ---------------------------------------------------------------------------------------- public

Content Content::of(std::string_view bytes) {
  Content content;
  content.size = bytes.size();
  content.bytes = bytes;
  if (bytes.empty()) return content;
  if (bytes.size() <= 65536) {
    content.digest = sha256(bytes);
    return content;
  }
  std::string size;
  for (unsigned i = 0; i < 8; ++i) {
    size += static_cast<char>((content.size >> (8 * i)) & 0xFFU);
  }
  content.digest = sha256("satchel-content-0" + size + text_of(leaf_tree(bytes)));
  return content;
}

Node whiteout() {
  Node node;
  node.kind = Kind::kWhiteout;
  return node;
}

Tree empty_tree() {
  Tree tree;
  tree.root.kind = Kind::kDirectory;
  tree.root.mode = 0755;
  return tree;
}

Layer empty_layer() {
  Layer layer = empty_tree();
  layer.root.inherit = true;
  return layer;
}

bool is_tree(const Layer& layer) {
  if (layer.root.opaque || layer.root.inherit) return false;
  for (const Place& place : list_places(layer)) {
    if (place.node->is_whiteout() || place.node->opaque || place.node->inherit) return false;
  }
  return true;
}

FileId root_file_id() {
  FileId id;
  id.bytes[0] = 1;
  return id;
}

FileId default_file_id(const FileId& parent, std::string_view name) {
  return first_half(sha256(text_of(parent) + std::string(name)));
}

FileId split_file_id(const FileId& file_id, std::string_view path) {
  return first_half(sha256("satchel-split-0" + text_of(file_id) + std::string(path)));
}

std::vector<Place> list_places(const Layer& layer) {
  std::vector<Place> places;
  list_into(layer.root, root_file_id(), "", places);
  return places;
}

Layer stack(const Layer& lower, const Layer& upper, Bug bug) {
  if (upper.root.opaque) return upper;
  return {stack_directories(lower.root, upper.root, Inside::kLayer, bug)};
}

Tree flatten(const Layer& layer, Bug bug) {
  Tree tree{*clean(layer.root, bug)};
  if (bug != Bug::kFlattenKeepsBrokenLink) put_links_right(tree, Doubles::kLeave);
  return tree;
}

Tree compose(const std::vector<Layer>& layers, Bug bug) {
  Layer all = empty_layer();
  for (const Layer& layer : layers) all = stack(all, layer, bug);
  return flatten(all, bug);
}

Layer diff(const Tree& below, const Tree& tree, Bug bug) {
  Layer layer{diff_directories(below.root, tree.root, bug)};
  if (layer.root.inherit) copy_attributes(empty_layer().root, layer.root);
  return layer;
}

Parts split(const Layer& layer, const AreaOf& area_of, Bug bug) {
  Parts parts;
  for (std::size_t i = 0; i < kAreas; ++i) {
    const Area area = static_cast<Area>(i);
    parts[i] = empty_layer();
    if (area == Area::kSysdata && !layer.root.inherit) {
      parts[i].root = layer.root;
      parts[i].root.children.clear();
    }
    split_children(layer.root, "", area_of, area, bug, parts[i].root);
  }
  return parts;
}

Layer join(const std::vector<Layer>& parts, Bug bug) {
  std::vector<const Node*> roots;
  roots.reserve(parts.size());
  for (const Layer& part : parts) roots.push_back(&part.root);
  if (roots.empty()) return empty_layer();
  return {join_nodes(roots, Inside::kLayer, bug)};
}

}  // namespace satchel::model
