#include "test/support/memory_upper.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file_io.h"
#include "store/content_id.h"
#include "store/directory.h"
#include "store/links.h"

namespace satchel::test {
namespace {

using store::BaseOfDirectory;
using store::DirectoryRef;
using store::Entry;
using store::FileId;
using store::Generation;
using store::Kind;
using store::Root;
using store::UpperId;
using store::UpperNode;

template <typename T>
T get_or_stop(Result<T> result) {
  SATCHEL_ASSERT(result.has_value());
  return *std::move(result);
}

std::string join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

RelativePath path_of(const std::string& text) {
  return get_or_stop(RelativePath::parse(text));
}

}  // namespace

struct MemoryUpper::Node {
  UpperId id = 0;
  FileId file_id;
  Kind kind = Kind::kFile;
  std::uint16_t mode = 0644;
  std::uint32_t uid = 1000;
  std::uint32_t gid = 1000;
  Timestamp mtime;
  store::Xattrs xattrs;
  store::ContentId content;
  bool is_dirty = false;  ///< `bytes` are what it holds
  std::string bytes;
  UniqueFd file;  ///< what read() opens; made when it is first read
  std::string target;
  store::DeviceNumber device;
  unsigned names = 1;
  Generation changed = 0;  ///< 0: as the base has it
  Generation bytes_changed = 0;
  std::optional<std::string> base_path;  ///< of a directory that the base has, perhaps elsewhere
  std::shared_ptr<const Entry> origin;
  std::map<std::string, NodePtr> children;
};

MemoryUpper::MemoryUpper(store::TreeStore& trees, const store::RootId& base,
                         store::VersionNumber version, std::uint64_t seed)
    : trees_(trees), random_(seed), base_version_(version) {
  load_base(base);
}

MemoryUpper::~MemoryUpper() = default;

void MemoryUpper::load_base(const store::RootId& base) {
  base_root_ = base;
  base_nodes_.clear();
  std::map<FileId, NodePtr> linked;
  const Root root = get_or_stop(trees_.get_root(base));
  root_ = load(root.as_entry(), {}, "", linked);
  root_->file_id = store::root_file_id();
}

MemoryUpper::NodePtr MemoryUpper::load(const Entry& entry, const FileId& parent,
                                       const std::string& path, std::map<FileId, NodePtr>& linked) {
  const FileId id = path.empty() ? store::root_file_id() : entry.effective_file_id(parent);
  if (entry.linked) {
    if (const auto known = linked.find(id); known != linked.end()) {
      ++known->second->names;
      base_nodes_[path] = known->second;
      return known->second;
    }
  }
  NodePtr node = make(entry.kind);
  node->file_id = id;
  node->changed = node->bytes_changed = 0;
  node->mode = entry.attributes.mode;
  node->uid = entry.attributes.uid;
  node->gid = entry.attributes.gid;
  node->mtime = entry.attributes.mtime;
  node->xattrs = get_or_stop(store::read_xattrs(trees_, entry.attributes.xattrs));
  node->content = entry.content;
  node->target = entry.target;
  node->device = entry.device;
  if (entry.linked) linked[id] = node;
  base_nodes_[path] = node;
  if (entry.is_directory()) {
    node->base_path = path;
    for (const Entry& child : get_or_stop(store::list_directory(trees_, entry.directory.page))) {
      node->children[child.name.text()] = load(child, id, join(path, child.name.text()), linked);
    }
  }
  return node;
}

MemoryUpper::NodePtr MemoryUpper::make(Kind kind) {
  auto node = std::make_shared<Node>();
  node->id = next_id_++;
  node->kind = kind;
  random_.fill(node->file_id.bytes);
  node->changed = node->bytes_changed = generation_;
  node->mtime = {.seconds = ++time_, .nanoseconds = 7};
  nodes_[node->id] = node;
  return node;
}

MemoryUpper::NodePtr MemoryUpper::find(const std::string& path) const {
  NodePtr node = root_;
  for (const Name& name : path_of(path).names()) {
    const auto child = node->children.find(name.text());
    if (child == node->children.end()) return nullptr;
    node = child->second;
  }
  return node;
}

MemoryUpper::Node& MemoryUpper::get(const std::string& path) const {
  const NodePtr node = find(path);
  SATCHEL_ASSERT(node != nullptr);
  return *node;
}

std::pair<MemoryUpper::NodePtr, std::string> MemoryUpper::place_of(const std::string& path) const {
  const RelativePath whole = path_of(path);
  const NodePtr directory = find(whole.parent().text());
  SATCHEL_ASSERT(directory != nullptr && directory->kind == Kind::kDirectory);
  return {directory, whole.name().text()};
}

/// Without children, and with an open file of its own.
MemoryUpper::NodePtr MemoryUpper::copy_of(const Node& node) {
  auto copy = std::make_shared<Node>();
  copy->id = node.id;
  copy->file_id = node.file_id;
  copy->kind = node.kind;
  copy->mode = node.mode;
  copy->uid = node.uid;
  copy->gid = node.gid;
  copy->mtime = node.mtime;
  copy->xattrs = node.xattrs;
  copy->content = node.content;
  copy->is_dirty = node.is_dirty;
  copy->bytes = node.bytes;
  copy->target = node.target;
  copy->device = node.device;
  copy->origin = node.origin;
  return copy;
}

void MemoryUpper::touch(Node& node) const {
  node.changed = generation_;
}

void MemoryUpper::set_bytes(Node& node, const std::string& bytes) {
  node.bytes = bytes;
  if (node.file.valid()) write_out(node);
  node.content = store::content_id_of(as_bytes(bytes));
  node.is_dirty = true;
  node.bytes_changed = generation_;
  node.mtime = {.seconds = ++time_, .nanoseconds = 9};
  touch(node);
}

/// Into the open file that readers see, so that they see it change too.
void MemoryUpper::write_out(Node& node) {
  SATCHEL_ASSERT(pwrite_all(node.file.get(), as_bytes(node.bytes), 0).has_value());
  SATCHEL_ASSERT(::ftruncate(node.file.get(), static_cast<off_t>(node.bytes.size())) == 0);
}

void MemoryUpper::write(const std::string& path, const std::string& bytes) {
  if (find(path) == nullptr) {
    const auto [directory, name] = place_of(path);
    directory->children[name] = make(Kind::kFile);
    removed_.erase(path);
  }
  SATCHEL_ASSERT(get(path).kind == Kind::kFile);
  set_bytes(get(path), bytes);
}

void MemoryUpper::append(const std::string& path, const std::string& bytes) {
  Node& node = get(path);
  SATCHEL_ASSERT(node.is_dirty);
  set_bytes(node, node.bytes + bytes);
}

void MemoryUpper::make_directory(const std::string& path) {
  SATCHEL_ASSERT(find(path) == nullptr);
  const auto [directory, name] = place_of(path);
  directory->children[name] = make(Kind::kDirectory);
  directory->children[name]->mode = 0755;
  removed_.erase(path);
}

void MemoryUpper::make_symlink(const std::string& path, const std::string& target) {
  SATCHEL_ASSERT(find(path) == nullptr);
  const auto [directory, name] = place_of(path);
  directory->children[name] = make(Kind::kSymlink);
  directory->children[name]->target = target;
  removed_.erase(path);
}

void MemoryUpper::link(const std::string& path, const std::string& new_path) {
  const NodePtr node = find(path);
  SATCHEL_ASSERT(node != nullptr && node->kind != Kind::kDirectory && find(new_path) == nullptr);
  const auto [directory, name] = place_of(new_path);
  directory->children[name] = node;
  ++node->names;
  touch(*node);
  removed_.erase(new_path);
}

void MemoryUpper::drop_name(const NodePtr& node) {
  for (const auto& [name, child] : node->children) drop_name(child);
  --node->names;
  touch(*node);
}

void MemoryUpper::remove(const std::string& path) {
  const auto [directory, name] = place_of(path);
  drop_name(directory->children.at(name));
  directory->children.erase(name);
  removed_[path] = generation_;
}

void MemoryUpper::rename(const std::string& path, const std::string& new_path) {
  SATCHEL_ASSERT(!path_of(new_path).is_within(path_of(path)));
  if (find(new_path) != nullptr) remove(new_path);
  const auto [from, name] = place_of(path);
  const auto [to, new_name] = place_of(new_path);
  const NodePtr node = from->children.at(name);
  from->children.erase(name);
  to->children[new_name] = node;
  touch(*node);
  removed_[path] = generation_;
  removed_.erase(new_path);
}

void MemoryUpper::set_mode(const std::string& path, std::uint16_t mode) {
  get(path).mode = mode;
  touch(get(path));
}

void MemoryUpper::set_xattr(const std::string& path, const std::string& name,
                            const std::string& value) {
  get(path).xattrs[name] = value;
  touch(get(path));
}

bool MemoryUpper::exists(const std::string& path) const {
  return find(path) != nullptr;
}
store::ContentId MemoryUpper::content(const std::string& path) const {
  return get(path).content;
}

void MemoryUpper::visit(
    const Node& directory, const std::string& path,
    const std::function<void(const std::string&, const Node&)>& function) const {
  for (const auto& [name, child] : directory.children) {
    function(join(path, name), *child);
    visit(*child, join(path, name), function);
  }
}

std::map<std::string, std::string> MemoryUpper::listing() const {
  std::map<std::string, std::string> lines;
  visit(*root_, "", [&](const std::string& path, const Node& node) {
    switch (node.kind) {
      case Kind::kDirectory:
        lines[path] = "directory";
        break;
      case Kind::kSymlink:
        lines[path] = "-> " + node.target;
        break;
      default:
        lines[path] = node.content.digest.hex().substr(0, 8) + " " +
                      std::to_string(node.content.size) + " names " + std::to_string(node.names);
    }
  });
  return lines;
}

std::vector<std::string> MemoryUpper::directories() const {
  std::vector<std::string> paths{""};
  visit(*root_, "", [&](const std::string& path, const Node& node) {
    if (node.kind == Kind::kDirectory) paths.push_back(path);
  });
  return paths;
}

std::vector<std::string> MemoryUpper::files() const {
  std::vector<std::string> paths;
  visit(*root_, "", [&](const std::string& path, const Node& node) {
    if (node.kind != Kind::kDirectory) paths.push_back(path);
  });
  return paths;
}

DirectoryRef MemoryUpper::build_directory(store::TreeStore& trees, const Node& directory,
                                          const std::string& path,
                                          std::vector<store::LinkItem>& links) const {
  store::DirectoryBuilder builder(trees);
  for (const auto& [name, child] : directory.children) {
    Entry entry;
    entry.name = Name::checked(name);
    entry.kind = child->kind;
    entry.attributes = {child->mode, child->uid, child->gid, child->mtime,
                        get_or_stop(store::write_xattrs(trees, child->xattrs))};
    entry.file_id = child->file_id;
    entry.linked = child->kind != Kind::kDirectory && child->names > 1;
    entry.content = child->content;
    entry.target = child->target;
    entry.device = child->device;
    if (entry.linked) links.push_back({child->file_id, join(path, name)});
    if (entry.is_directory()) {
      entry.directory = build_directory(trees, *child, join(path, name), links);
    }
    entry.normalize_file_id(directory.file_id);
    SATCHEL_ASSERT(builder.append(entry).has_value());
  }
  return get_or_stop(builder.finish());
}

Root MemoryUpper::build_tree(store::TreeStore& trees) const {
  Root root;
  std::vector<store::LinkItem> links;
  root.attributes = {root_->mode, root_->uid, root_->gid, root_->mtime,
                     get_or_stop(store::write_xattrs(trees, root_->xattrs))};
  root.directory = build_directory(trees, *root_, "", links);
  root.links = get_or_stop(store::build_links(trees, links));
  return root;
}

/// Finds what differs from the base and says it as a SealedUpper.
struct MemoryUpper::Sealing {
  const MemoryUpper& upper;
  store::SealedUpper sealed;
  std::map<UpperId, std::uint32_t> index;

  [[nodiscard]] static bool has_changed(const Node& node) {
    if (node.changed > 0) return true;
    for (const auto& [name, child] : node.children) {
      if (has_changed(*child)) return true;
    }
    return false;
  }

  /// A name of the base went from `node`, or came back as another file, or something below did.
  [[nodiscard]] bool is_to_be_sealed(const Node& node) const {
    if (has_changed(node)) return true;
    if (node.kind != Kind::kDirectory) return false;
    SATCHEL_ASSERT(node.base_path.has_value());
    for (const auto& [path, base] : children_of_base(*node.base_path)) {
      const auto child = node.children.find(path);
      if (child == node.children.end() || child->second != base) return true;
    }
    for (const auto& [name, child] : node.children) {
      if (child->kind == Kind::kDirectory && is_to_be_sealed(*child)) return true;
    }
    return false;
  }

  [[nodiscard]] std::map<std::string, NodePtr> children_of_base(const std::string& base) const {
    std::map<std::string, NodePtr> children;
    const std::string prefix = base.empty() ? "" : base + "/";
    for (auto place = upper.base_nodes_.lower_bound(prefix);
         place != upper.base_nodes_.end() && place->first.starts_with(prefix); ++place) {
      const std::string name = place->first.substr(prefix.size());
      if (!name.empty() && name.find('/') == std::string::npos) children[name] = place->second;
    }
    return children;
  }

  std::uint32_t add(const NodePtr& node, BaseOfDirectory base) {
    if (const auto known = index.find(node->id); known != index.end()) return known->second;
    const auto number = static_cast<std::uint32_t>(sealed.nodes.size());
    index[node->id] = number;
    UpperNode row;
    row.id = node->id;
    row.file_id = node->file_id;
    row.kind = node->kind;
    row.has_own_attributes = node->kind != Kind::kDirectory || node->changed > 0;
    row.mode = node->mode;
    row.uid = node->uid;
    row.gid = node->gid;
    row.mtime = node->mtime;
    row.xattrs = node->xattrs;
    if (node->kind == Kind::kFile && !node->is_dirty) row.content = node->content;
    row.size = node->content.size;
    row.target = node->target;
    row.device = node->device;
    row.names = node->names;
    row.base = base;
    if (base == BaseOfDirectory::kBasePath) row.base_path = path_of(*node->base_path);
    sealed.nodes.push_back(row);
    if (node->kind == Kind::kDirectory) {
      auto children = changed_children(*node);
      sealed.nodes[number].children = std::move(children);
    }
    return number;
  }

  std::vector<UpperNode::Child> changed_children(const Node& node) {
    std::map<std::string, NodePtr> base;
    if (node.base_path) base = children_of_base(*node.base_path);
    std::set<std::string> names;
    for (const auto& [name, child] : base) names.insert(name);
    for (const auto& [name, child] : node.children) names.insert(name);
    std::vector<UpperNode::Child> changed;
    for (const std::string& name : names) {
      const auto child = node.children.find(name);
      if (child == node.children.end()) {
        changed.push_back({Name::checked(name), std::nullopt, {}});
        continue;
      }
      const auto old = base.find(name);
      const bool is_in_place = old != base.end() && old->second == child->second;
      if (is_in_place && !is_to_be_sealed(*child->second)) continue;
      changed.push_back({Name::checked(name),
                         add(child->second, base_of(*child->second, is_in_place)),
                         child->second->origin});
    }
    return changed;
  }

  static BaseOfDirectory base_of(const Node& node, bool is_in_place) {
    if (node.kind != Kind::kDirectory || !node.base_path) return BaseOfDirectory::kNothing;
    return is_in_place ? BaseOfDirectory::kSamePlace : BaseOfDirectory::kBasePath;
  }
};

Result<store::SealedUpper> MemoryUpper::seal() {
  Sealing sealing{*this, {}, {}};
  sealing.sealed.generation = generation_++;
  sealing.sealed.base_root = base_root_;
  sealing.sealed.base_version = base_version_;
  sealing.add(root_, BaseOfDirectory::kSamePlace);
  return std::move(sealing.sealed);
}

Result<UniqueFd> MemoryUpper::read(UpperId id) {
  const NodePtr node = nodes_.at(id).lock();
  if (node == nullptr) return Error{.code = ESTALE, .message = "the file is gone"};
  if (!node->file.valid()) {
    node->file = UniqueFd(::memfd_create("upper", MFD_CLOEXEC));
    SATCHEL_ASSERT(node->file.valid());
    write_out(*node);
  }
  const std::string path = "/proc/self/fd/" + std::to_string(node->file.get());
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(path);
  return fd;
}

Result<bool> MemoryUpper::is_unchanged_since(UpperId id, Generation generation) {
  if (on_look) on_look(id);
  const NodePtr node = nodes_.at(id).lock();
  return node != nullptr && node->bytes_changed <= generation;
}

/// Loads the new base and puts on top what it does not hold: what changed after the seal, and what
/// does not travel.
Result<void> MemoryUpper::switch_base(const store::BaseSwitch& change) {
  const NodePtr old = root_;
  const auto removed = std::move(removed_);
  removed_.clear();
  const std::map<std::string, NodePtr> old_base = base_nodes_;
  load_base(change.base_root);
  base_version_ = change.base_version;
  ++switches_;
  for (const auto& [path, generation] : removed) {
    if (generation <= change.generation || find(path) == nullptr) continue;
    remove(path);
  }
  visit(*old, "", [&](const std::string& path, const Node& node) {
    const bool travels = change.travels(path_of(path), node.kind);
    const bool is_later = node.changed > change.generation;
    const bool is_kept = is_later || (!travels && node.changed > 0);
    const NodePtr directory = find(path_of(path).parent().text());
    if (!is_kept || directory == nullptr || directory->kind != Kind::kDirectory) return;
    const NodePtr there = find(path);
    if (node.kind == Kind::kDirectory && there != nullptr && there->kind == Kind::kDirectory) {
      return;
    }
    const NodePtr kept = copy_of(node);
    kept->changed = kept->bytes_changed = generation_;
    if (is_later && travels) {
      // What the change was made to: the content as it was sealed.
      if (const auto hashed = change.contents.find(node.id); hashed != change.contents.end()) {
        Entry origin;
        origin.name = path_of(path).name();
        origin.kind = node.kind;
        origin.attributes = {node.mode, node.uid, node.gid, node.mtime, {}};
        origin.file_id = node.file_id;
        origin.content = hashed->second;
        kept->origin = std::make_shared<const Entry>(std::move(origin));
      }
    }
    nodes_[kept->id] = kept;
    directory->children[path_of(path).name().text()] = kept;
  });
  return {};
}

}  // namespace satchel::test
