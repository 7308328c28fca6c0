#include "test/model/random_tree.h"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace satchel::model {
namespace {

void set_random_attributes(Rng& rng, const RandomShape& shape, Node& node) {
  static const std::vector<std::uint32_t> modes = {0644, 0755, 0700, 04755, 07777, 0};
  static const std::vector<std::uint32_t> owners = {0, 1000, 4294967294U};
  node.mode = rng.pick(modes);
  node.uid = rng.chance(70) ? 0 : rng.pick(owners);
  node.gid = rng.chance(70) ? 0 : rng.pick(owners);
  node.mtime_s = static_cast<std::int64_t>(rng.below(4));
  if (rng.chance(5)) node.mtime_s -= 100;
  node.mtime_ns = rng.chance(80) ? 0 : static_cast<std::uint32_t>(rng.below(1'000'000'000));
  if (rng.chance(15)) {
    const std::string name = "user." + std::to_string(rng.below(3));
    node.xattrs[name] = std::to_string(rng.below(3));
  }
  if (rng.chance(shape.large_xattr_percent)) {
    const std::uint64_t bytes = 200 + rng.below(1000);
    node.xattrs["user.large"] = std::string(bytes, static_cast<char>(rng.below(256)));
  }
}

void set_random_content(Rng& rng, Node& node) {
  switch (node.kind) {
    case Kind::kFile:
      node.content = Content::of(rng.chance(10) ? "" : "content " + std::to_string(rng.below(8)));
      break;
    case Kind::kSymlink:
      node.target = "../" + std::to_string(rng.below(4));
      break;
    case Kind::kCharDevice:
    case Kind::kBlockDevice:
      node.device_major = static_cast<std::uint32_t>(rng.below(3));
      node.device_minor = static_cast<std::uint32_t>(rng.below(3));
      break;
    default:
      break;
  }
}

Kind random_kind(Rng& rng) {
  static const std::vector<Kind> rare = {Kind::kSymlink,     Kind::kSymlink, Kind::kCharDevice,
                                         Kind::kBlockDevice, Kind::kFifo,    Kind::kSocket};
  return rng.chance(70) ? Kind::kFile : rng.pick(rare);
}

/// Few, so that they collide: what two default ids are, and three that are nobody's default.
FileId colliding_file_id(Rng& rng) {
  const std::uint64_t which = rng.below(5);
  if (which < 2) return default_file_id(root_file_id(), which == 0 ? "a" : "b");
  FileId id;
  id.bytes.fill(static_cast<std::uint8_t>(0xA0 + which));
  return id;
}

void fill_layer_directory(Rng& rng, const RandomShape& shape, unsigned depth, bool marks,
                          Node& directory) {
  const std::uint64_t count = rng.below(shape.entries_max + 1U);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = random_name(rng, shape);
    if (marks && rng.chance(20)) {
      directory.children[name] = whiteout();
      continue;
    }
    Node node;
    node.kind = depth > 0 && rng.chance(50) ? Kind::kDirectory : random_kind(rng);
    set_random_attributes(rng, shape, node);
    set_random_content(rng, node);
    if (rng.chance(25)) node.file_id = colliding_file_id(rng);
    if (node.is_directory()) {
      if (marks && rng.chance(25)) {
        node.opaque = true;
      } else if (marks && rng.chance(40)) {
        node.inherit = true;
      }
      fill_layer_directory(rng, shape, depth - 1, marks && !node.opaque, node);
    } else if (rng.chance(15)) {
      node.linked = true;
      node.file_id = rng.chance(50) ? colliding_file_id(rng) : random_file_id(rng);
      node.mode = 0644;  // so that some agree
      node.mtime_s = 0;
    }
    directory.children[name] = node;
  }
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string last_name_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

bool is_within(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

}  // namespace

std::uint64_t number_from_environment(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): tests set nothing
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string random_name(Rng& rng, const RandomShape& shape) {
  if (!rng.chance(shape.strange_percent)) {
    const char letter = static_cast<char>('a' + rng.below(shape.names));
    return {letter};
  }
  static const std::vector<std::string> strange = {".hidden",
                                                   "...",
                                                   "a\nb",
                                                   "\xFF\xFE",
                                                   "\x01",
                                                   " ",
                                                   "a ",
                                                   "a-",
                                                   "a.",
                                                   "\xC3\xA9",
                                                   "-rf",
                                                   "\\x2f",
                                                   std::string(255, 'x'),
                                                   std::string(254, 'x') + "\xFF"};
  if (rng.chance(80)) return rng.pick(strange);
  std::string name(1 + rng.below(255), 'n');
  for (char& c : name) {
    do c = static_cast<char>(rng.below(256));
    while (c == '/' || c == '\0');
  }
  return name == "." || name == ".." ? "..." : name;
}

FileId random_file_id(Rng& rng) {
  FileId id;
  for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(rng.below(256));
  return id;
}

Layer random_layer(Rng& rng, const RandomShape& shape) {
  Layer layer = empty_layer();
  if (rng.chance(40)) {
    layer.root.inherit = false;
    layer.root.opaque = rng.chance(15);
    set_random_attributes(rng, shape, layer.root);
  }
  fill_layer_directory(rng, shape, shape.depth_max, !layer.root.opaque, layer.root);
  return layer;
}

Tree random_tree(Rng& rng, unsigned edits, const RandomShape& shape) {
  TreeEditor editor(empty_tree(), rng);
  editor.edit_randomly(edits, shape);
  return editor.tree();
}

// ---------------------------------------------------------------------------------------- editor

const Node* TreeEditor::find(const std::string& path) const {
  const Node* node = &tree_.root;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const auto found = node->children.find(path.substr(begin, end - begin));
    if (found == node->children.end()) return nullptr;
    node = &found->second;
    begin = end + 1;
  }
  return node;
}

Node* TreeEditor::find_mutable(const std::string& path) {
  return const_cast<Node*>(find(path));  // NOLINT: tree_ is not const here
}

FileId TreeEditor::file_id_of(const std::string& path) const {
  if (path.empty()) return root_file_id();
  const Node* node = find(path);
  if (node->file_id) return *node->file_id;
  return default_file_id(file_id_of(parent_of(path)), last_name_of(path));
}

void TreeEditor::set_file_id(const std::string& path, const FileId& id) {
  Node& node = *find_mutable(path);
  node.file_id = id;
  if (default_file_id(file_id_of(parent_of(path)), last_name_of(path)) == id) node.file_id.reset();
}

void TreeEditor::set_link_flags() {
  std::map<FileId, std::vector<std::string>> names;
  for (const Place& place : list_places(tree_)) {
    if (!place.node->is_directory()) names[place.file_id].push_back(place.path);
  }
  for (const auto& [id, paths] : names) {
    for (const std::string& path : paths) {
      Node& node = *find_mutable(path);
      node.linked = paths.size() > 1;
      if (node.linked) node.file_id = id;
    }
  }
}

bool TreeEditor::create(const std::string& path, Node entry, Identity identity) {
  Node* parent = find_mutable(parent_of(path));
  if (path.empty() || parent == nullptr || !parent->is_directory() || find(path) != nullptr) {
    return false;
  }
  entry.file_id = random_file_id(rng_);
  entry.linked = false;
  if (identity == Identity::kImported) {
    const FileId id = default_file_id(file_id_of(parent_of(path)), last_name_of(path));
    const std::vector<Place> places = list_places(tree_);
    // A file renamed away from here still has the default id of this name.
    if (std::none_of(places.begin(), places.end(),
                     [&](const Place& place) { return place.file_id == id; })) {
      entry.file_id.reset();
    }
  }
  parent->children.emplace(last_name_of(path), std::move(entry));
  return true;
}

bool TreeEditor::remove(const std::string& path) {
  if (path.empty() || find(path) == nullptr) return false;
  find_mutable(parent_of(path))->children.erase(last_name_of(path));
  set_link_flags();
  return true;
}

bool TreeEditor::rename(const std::string& from, const std::string& to) {
  const Node* source = find(from);
  const Node* parent = find(parent_of(to));
  if (from.empty() || to.empty() || source == nullptr || parent == nullptr) return false;
  if (!parent->is_directory() || is_within(to, from)) return false;
  const FileId id = file_id_of(from);
  if (const Node* target = find(to)) {
    if (target->is_directory() != source->is_directory() || !target->children.empty()) return false;
    if (is_within(from, to) || file_id_of(to) == id) return false;
    find_mutable(parent_of(to))->children.erase(last_name_of(to));
  }
  Node moved = *find(from);
  find_mutable(parent_of(from))->children.erase(last_name_of(from));
  find_mutable(parent_of(to))->children.emplace(last_name_of(to), std::move(moved));
  set_file_id(to, id);
  set_link_flags();
  return true;
}

bool TreeEditor::link(const std::string& from, const std::string& to) {
  const Node* source = find(from);
  Node* parent = find_mutable(parent_of(to));
  if (from.empty() || to.empty() || source == nullptr || source->is_directory()) return false;
  if (parent == nullptr || !parent->is_directory() || find(to) != nullptr) return false;
  const FileId id = file_id_of(from);
  const Node copy = *source;
  parent->children.emplace(last_name_of(to), copy);
  set_file_id(to, id);
  set_link_flags();
  return true;
}

bool TreeEditor::modify(const std::string& path, const std::function<void(Node&)>& change) {
  const Node* node = find(path);
  if (node == nullptr) return false;
  if (!node->linked) {
    change(*find_mutable(path));
    return true;
  }
  Node changed = *node;
  change(changed);
  const FileId id = file_id_of(path);
  for (const Place& place : list_places(tree_)) {
    if (place.file_id != id) continue;
    Node& name = *find_mutable(place.path);
    const auto encoded = name.file_id;
    name = changed;
    name.file_id = encoded;
  }
  return true;
}

std::string TreeEditor::random_path(bool directories, bool others) {
  std::vector<std::string> paths;
  for (const Place& place : list_places(tree_)) {
    if (place.node->is_directory() ? directories : others) paths.push_back(place.path);
  }
  return paths.empty() ? "" : rng_.pick(paths);
}

std::string TreeEditor::random_new_path(const RandomShape& shape) {
  const std::string directory = rng_.chance(30) ? "" : random_path(true, false);
  const auto depth = static_cast<unsigned>(std::count(directory.begin(), directory.end(), '/'));
  const std::string name = random_name(rng_, shape);
  return directory.empty() || depth + 1 >= shape.depth_max ? name : directory + "/" + name;
}

Node TreeEditor::random_entry(const RandomShape& shape, bool directory) {
  Node node;
  node.kind = directory ? Kind::kDirectory : random_kind(rng_);
  set_random_attributes(rng_, shape, node);
  set_random_content(rng_, node);
  return node;
}

bool TreeEditor::edit(Edit edit, const RandomShape& shape) {
  const Identity identity = rng_.chance(40) ? Identity::kImported : Identity::kMadeInView;
  const std::string any = rng_.chance(3) ? "" : random_path(true, true);
  const std::string file = random_path(false, true);
  const std::string directory = random_path(true, false);
  const std::string target = random_new_path(shape);
  last_ = to_text(edit) + " /" + escape(any) + " | /" + escape(file) + " | /" + escape(directory) +
          " | /" + escape(target);
  switch (edit) {
    case Edit::kCreate:
      return create(target, random_entry(shape, false), identity);
    case Edit::kMakeDirectory:
      return create(target, random_entry(shape, true), identity);
    case Edit::kWrite:
      return !file.empty() && modify(file, [&](Node& node) {
        set_random_content(rng_, node);
        node.mtime_s = static_cast<std::int64_t>(rng_.below(9));
      });
    case Edit::kUnlink:
      return !file.empty() && remove(file);
    case Edit::kRemoveTree:
      return remove(directory);
    case Edit::kRename:
      return rename(any, target);
    case Edit::kLink:
      return link(file, target);
    case Edit::kChangeMode:
      return modify(any,
                    [&](Node& node) { node.mode = static_cast<std::uint32_t>(rng_.below(4)); });
    case Edit::kChangeOwner:
      return modify(any, [&](Node& node) {
        node.uid = static_cast<std::uint32_t>(rng_.below(3));
        node.gid = static_cast<std::uint32_t>(rng_.below(3));
      });
    case Edit::kSetXattr:
      return modify(any, [&](Node& node) {
        const bool large = rng_.chance(shape.large_xattr_percent * 5);
        const std::string name = "user." + std::to_string(rng_.below(3));
        node.xattrs[name] = std::string(large ? 300 + rng_.below(700) : rng_.below(3), 'v');
      });
    case Edit::kRemoveXattr:
      return !find(any)->xattrs.empty() && modify(any, [](Node& node) { node.xattrs.clear(); });
    case Edit::kTouch:
      return modify(any, [&](Node& node) {
        node.mtime_s = static_cast<std::int64_t>(rng_.below(9));
        node.mtime_ns = static_cast<std::uint32_t>(rng_.below(3));
      });
    case Edit::kChangeKind:
      if (any.empty()) return false;
      {
        const bool was_directory = find(any)->is_directory();
        remove(any);
        return create(any, random_entry(shape, !was_directory), identity);
      }
    case Edit::kReplaceDirectory:
      if (directory.empty()) return false;
      remove(directory);
      create(directory, random_entry(shape, true), identity);
      if (rng_.chance(70)) {
        const std::string name = random_name(rng_, shape);
        create(directory + "/" + name, random_entry(shape, false), identity);
      }
      return true;
    case Edit::kCount:
      break;
  }
  return false;
}

std::vector<std::string> TreeEditor::edit_randomly(unsigned count, const RandomShape& shape) {
  std::vector<std::string> done;
  for (unsigned i = 0; i < count; ++i) {
    // Trees would shrink if removals were as likely as the rest.
    Edit next = static_cast<Edit>(rng_.below(static_cast<std::uint64_t>(Edit::kCount)));
    if (next == Edit::kRemoveTree && rng_.chance(60)) next = Edit::kCreate;
    if (edit(next, shape)) done.push_back(last_);
  }
  return done;
}

std::string to_text(Edit edit) {
  switch (edit) {
    case Edit::kCreate:
      return "create";
    case Edit::kMakeDirectory:
      return "make directory";
    case Edit::kWrite:
      return "write";
    case Edit::kUnlink:
      return "unlink";
    case Edit::kRemoveTree:
      return "remove tree";
    case Edit::kRename:
      return "rename";
    case Edit::kLink:
      return "link";
    case Edit::kChangeMode:
      return "change mode";
    case Edit::kChangeOwner:
      return "change owner";
    case Edit::kSetXattr:
      return "set xattr";
    case Edit::kRemoveXattr:
      return "remove xattrs";
    case Edit::kTouch:
      return "touch";
    case Edit::kChangeKind:
      return "change kind";
    case Edit::kReplaceDirectory:
      return "replace directory";
    case Edit::kCount:
      break;
  }
  return "?";
}

// ---------------------------------------------------------------------------------------- shapes

Node wide_directory(Rng& rng, std::size_t count, Keys keys) {
  Node directory = empty_tree().root;
  const RandomShape shape{.strange_percent = 0, .large_xattr_percent = 0};
  for (const PageItem& item : page_items(rng, count, 0, 0, keys)) {
    Node node;
    node.kind = rng.chance(10) ? Kind::kDirectory : Kind::kFile;
    set_random_attributes(rng, shape, node);
    set_random_content(rng, node);
    directory.children.emplace(item.key, std::move(node));
  }
  return directory;
}

std::vector<PageItem> page_items(Rng& rng, std::size_t count, std::uint64_t bytes, unsigned level,
                                 Keys keys) {
  std::set<std::string> chosen;
  while (chosen.size() < count) {
    const std::string key = "entry-" + std::to_string(rng.below(10'000'000));
    const bool closes = page_cut({{"a", 1}, {key, 1}, {"z", 1}}, level).size() > 1;
    if (keys == Keys::kAny || !closes) chosen.insert(key);
  }
  std::vector<PageItem> items;
  items.reserve(chosen.size());
  for (const std::string& key : chosen) items.push_back({key, bytes});
  return items;
}

Node heavy_directory(Rng& rng, std::size_t entry_size, std::size_t total) {
  Node directory = empty_tree().root;
  std::uint64_t bytes = 0;
  while (bytes < total) {
    Node node;
    node.kind = Kind::kSymlink;
    const std::string name = "heavy-" + std::to_string(rng.below(1'000'000'000));
    const std::size_t overhead = name.size() + 12;
    node.target = std::string(entry_size > overhead ? entry_size - overhead : 1, 't');
    if (directory.children.emplace(name, node).second) bytes += entry_bytes(name, node);
  }
  return directory;
}

Tree deep_tree(Rng& rng, std::size_t depth) {
  Node node;
  set_random_content(rng, node);
  for (std::size_t i = 0; i < depth; ++i) {
    Node directory = empty_tree().root;
    directory.children.emplace(std::string(1, static_cast<char>('a' + rng.below(26))), node);
    node = std::move(directory);
  }
  Tree tree = empty_tree();
  tree.root.children.emplace("deep", std::move(node));
  return tree;
}

AreaOf random_rules(std::uint64_t seed) {
  return [seed](const std::string& path, Kind kind) {
    std::uint64_t hash = seed ^ 1469598103934665603U;
    for (const char c : path + static_cast<char>(kind)) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    return static_cast<Area>((hash >> 32U) % kAreas);
  };
}

}  // namespace satchel::model
