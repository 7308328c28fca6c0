#include "fs/inode_table.h"

#include <algorithm>

#include "fs/node_index.h"

namespace satchel::fs {

NodeRef& NodeRef::operator=(NodeRef&& other) noexcept {
  if (this != &other) {
    reset();
    table_ = other.table_;
    node_ = std::exchange(other.node_, nullptr);
  }
  return *this;
}

void NodeRef::reset() {
  if (node_ == nullptr) return;
  const std::lock_guard lock(table_->mutex_);
  table_->unpin(*std::exchange(node_, nullptr));
}

std::size_t InodeTable::PlaceHash::operator()(const PlaceKey& key) const {
  return std::hash<std::string_view>{}(key.name) ^
         static_cast<std::size_t>(key.parent->id) * 0x9E3779B97F4A7C15U;
}

InodeTable::InodeTable(const store::FileId& root, NodeIndex* index) : index_(index) {
  Node& node = nodes_[kRootNode];
  node.id = kRootNode;
  node.kind = store::Kind::kDirectory;
  node.file_id = root;
  node.lookups = 1;  // the kernel never forgets the root
}

InodeTable::~InodeTable() = default;

NodeId InodeTable::id_for(const store::FileId& file_id) {
  if (index_ == nullptr) return NodeId{next_id_++};
  const auto known = index_->find_id(file_id);
  // Somebody may still hold what was there before a base switch: that node keeps its id.
  if (known && !nodes_.contains(*known)) return *known;
  return index_->give_id(file_id);
}

void InodeTable::write_place(const Node& node, const Node& parent, std::string_view name) {
  if (index_ == nullptr) return;
  index_->put_place(node.id, {.parent = parent.id,
                              .name = std::string(name),
                              .file_id = node.file_id,
                              .upper = node.inode ? node.inode->id : 0});
}

void InodeTable::note_place(Node& node, const Node& parent, std::string_view name) {
  const std::lock_guard lock(mutex_);
  see_place(node, parent, name);
  write_place(node, parent, name);
}

Node& InodeTable::add(store::Kind kind, const store::FileId& file_id) {
  const NodeId id = id_for(file_id);
  Node& node = nodes_[id];
  node.id = id;
  node.kind = kind;
  node.file_id = file_id;
  nodes_max_ = std::max(nodes_max_, nodes_.size());
  return node;
}

NodeRef InodeTable::pinned(Node& node) {
  ++node.pins;
  return {*this, node};
}

Node& Node::current() {
  Node* node = this;
  while (Node* const next = node->successor.load()) node = next;
  return *node;
}

NodeRef InodeTable::find(NodeId id) {
  const std::lock_guard lock(mutex_);
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? NodeRef() : pinned(found->second.current());
}

NodeRef InodeTable::pin(Node& node) {
  const std::lock_guard lock(mutex_);
  return pinned(node);
}

NodeRef InodeTable::root() {
  return find(kRootNode);
}

NodeRef InodeTable::find_base(const Node& parent, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_place_.find(PlaceKey{&parent, name});
  return found == by_place_.end() ? NodeRef() : pinned(**found);
}

NodeRef InodeTable::find_linked(const store::FileId& file_id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_file_id_.find(file_id);
  return found == by_file_id_.end() ? NodeRef() : pinned(*found->second);
}

NodeRef InodeTable::find_upper(UpperId id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_upper_.find(id);
  return found == by_upper_.end() ? NodeRef() : pinned(*found->second);
}

NodeRef InodeTable::for_base(Node& parent, const Name& name, const store::LocatedEntry& located) {
  const std::lock_guard lock(mutex_);
  if (located.entry.linked) {
    const auto found = by_file_id_.find(located.file_id);
    if (found != by_file_id_.end()) {
      see_place(*found->second, parent, name.text());
      return pinned(*found->second);
    }
  } else {
    const auto found = by_place_.find(PlaceKey{&parent, name.text()});
    if (found != by_place_.end()) return pinned(**found);
  }
  Node& node = add(located.entry.kind, located.file_id);
  set_parent(node, &parent, name.text());
  see_place(node, parent, name.text());
  node.is_linked = located.entry.linked;
  if (node.is_linked) {
    by_file_id_.emplace(node.file_id, &node);
  } else {
    by_place_.insert(&node);
  }
  write_place(node, parent, name.text());
  return pinned(node);
}

NodeRef InodeTable::for_upper(std::shared_ptr<Inode> inode, Node* parent, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_upper_.find(inode->id);
  if (found != by_upper_.end()) {
    if (parent != nullptr) see_place(*found->second, *parent, name);
    return pinned(*found->second);
  }
  Node& node = add(inode->row.kind, inode->row.file_id);
  if (node.is_directory()) set_parent(node, parent, name);
  by_upper_.emplace(inode->id, &node);
  node.inode = std::move(inode);
  if (parent != nullptr) {
    see_place(node, *parent, name);
    write_place(node, *parent, name);
  }
  return pinned(node);
}

void InodeTable::add_lookup(Node& node) {
  const std::lock_guard lock(mutex_);
  ++node.lookups;
}

void InodeTable::forget(NodeId id, std::uint64_t lookups) {
  const std::lock_guard lock(mutex_);
  const auto found = nodes_.find(id);
  if (found == nodes_.end() || id == kRootNode) return;
  Node& node = found->second;
  SATCHEL_ASSERT(node.lookups >= lookups);
  node.lookups -= lookups;
  release_if_unknown(&node);
}

void InodeTable::unpin(Node& node) {
  SATCHEL_ASSERT(node.pins > 0);
  --node.pins;
  release_if_unknown(&node);
}

// Upwards in a loop: a deep directory may be held by nothing but its last descendant.
void InodeTable::release_if_unknown(Node* node) {
  while (node != nullptr && node->lookups == 0 && node->pins == 0) {
    if (node->inode) {
      const std::lock_guard lock(node->inode->live_mutex);
      if (node->inode->is_dirty) {
        idle_.push_back(node->id);
        return;
      }
    }
    leave_base_index(*node);
    if (node->inode) {
      const auto found = by_upper_.find(node->inode->id);
      if (found != by_upper_.end() && found->second == node) by_upper_.erase(found);
    }
    // A superseded node is a file with an inode, so it has no parent.
    Node* const held = node->parent != nullptr ? node->parent : node->successor.load();
    const NodeId id = node->id;
    nodes_.erase(id);
    if (held != nullptr) --held->pins;
    node = held;
  }
}

void InodeTable::leave_base_index(Node& node) {
  if (node.inode || node.parent == nullptr) return;
  if (node.is_linked) {
    const auto found = by_file_id_.find(node.file_id);
    if (found != by_file_id_.end() && found->second == &node) by_file_id_.erase(found);
    return;
  }
  const auto found = by_place_.find(&node);
  if (found != by_place_.end() && *found == &node) by_place_.erase(found);
}

void InodeTable::set_parent(Node& node, Node* parent, std::string_view name) {
  Node* const old = node.parent;
  if (old != nullptr && node.is_directory()) ++moves_;
  if (old != nullptr && !node.seen)
    node.seen = std::make_unique<Node::Place>(Node::Place{.parent = old->id, .name = node.name});
  if (parent != nullptr) ++parent->pins;
  node.parent = parent;
  node.name = name;
  if (old != nullptr) unpin(*old);
}

void InodeTable::attach(Node& node, std::shared_ptr<Inode> inode) {
  const std::lock_guard lock(mutex_);
  leave_base_index(node);
  by_upper_.emplace(inode->id, &node);
  node.inode = std::move(inode);
  node.base.reset();
  if (node.parent != nullptr) write_place(node, *node.parent, node.name);
  if (!node.is_directory()) set_parent(node, nullptr, {});
}

void InodeTable::detach_to_base(Node& node, Node& parent, std::string_view name,
                                const store::LocatedEntry& located) {
  const std::lock_guard lock(mutex_);
  leave_base_index(node);
  if (node.inode) by_upper_.erase(node.inode->id);
  node.inode.reset();
  node.base.reset();
  set_parent(node, &parent, name);
  node.is_linked = located.entry.linked;
  set_file_id(node, located.file_id);
  if (node.is_linked) {
    by_file_id_.insert_or_assign(node.file_id, &node);
  } else {
    by_place_.insert(&node);
  }
  write_place(node, parent, name);
}

void InodeTable::orphan(Node& node, std::shared_ptr<Inode> inode) {
  const std::lock_guard lock(mutex_);
  leave_base_index(node);
  if (node.inode) by_upper_.erase(node.inode->id);
  by_upper_.emplace(inode->id, &node);
  node.inode = std::move(inode);
  node.base.reset();
  node.is_removed = true;
  node.is_outdated = true;
  if (!node.is_directory()) set_parent(node, nullptr, {});
  if (index_ != nullptr) index_->remove(node.id, node.file_id);
}

NodeRef InodeTable::supersede(Node& node) {
  SATCHEL_ASSERT(index_ == nullptr && node.inode && node.parent == nullptr);
  const std::lock_guard lock(mutex_);
  Node& fresh = add(node.kind, node.file_id);
  fresh.inode = node.inode;
  fresh.is_removed = node.is_removed;
  if (node.seen) fresh.seen = std::make_unique<Node::Place>(*node.seen);
  by_upper_.insert_or_assign(node.inode->id, &fresh);
  ++fresh.pins;
  node.successor = &fresh;
  return pinned(fresh);
}

void InodeTable::set_file_id(Node& node, const store::FileId& file_id) {
  if (node.file_id == file_id) return;
  if (index_ != nullptr) index_->keep_id(node.id, node.file_id, file_id);
  node.file_id = file_id;
}

void InodeTable::change_file_id(Node& node, const store::FileId& file_id) {
  const std::lock_guard lock(mutex_);
  if (node.file_id == file_id) return;
  set_file_id(node, file_id);
  const auto place = place_of(node);
  if (index_ == nullptr || !place) return;
  index_->put_place(node.id, {.parent = place->parent,
                              .name = place->name,
                              .file_id = node.file_id,
                              .upper = node.inode ? node.inode->id : 0});
}

void InodeTable::move(Node& node, Node& parent, std::string_view name) {
  const std::lock_guard lock(mutex_);
  set_parent(node, &parent, name);
  see_place(node, parent, name);
  write_place(node, parent, name);
}

void InodeTable::mark_removed(Node& node) {
  const std::lock_guard lock(mutex_);
  node.is_removed = true;
  if (index_ != nullptr) index_->remove(node.id, node.file_id);
}

void InodeTable::see_place(Node& node, const Node& parent, std::string_view name) {
  if (node.parent == &parent && node.name == name) {
    node.seen.reset();
  } else {
    node.seen =
        std::make_unique<Node::Place>(Node::Place{.parent = parent.id, .name = std::string(name)});
  }
}

std::optional<Node::Place> InodeTable::place_of(const Node& node) {
  if (node.seen) return *node.seen;
  if (node.parent == nullptr) return std::nullopt;
  return Node::Place{.parent = node.parent->id, .name = node.name};
}

std::optional<std::pair<NodeId, std::string>> InodeTable::seen_place(const Node& node) const {
  const std::lock_guard lock(mutex_);
  auto place = place_of(node);
  if (!place) return std::nullopt;
  return std::pair(place->parent, std::move(place->name));
}

void InodeTable::set_base_cache(Node& node, std::uint32_t epoch, const BaseDirectory& directory) {
  const std::lock_guard lock(mutex_);
  if (!node.base) node.base = std::make_unique<Node::BaseCache>();
  *node.base = {.epoch = epoch, .directory = directory};
  node.file_id = directory.file_id;
}

std::optional<BaseDirectory> InodeTable::base_cache(const Node& node, std::uint32_t epoch) const {
  const std::lock_guard lock(mutex_);
  if (!node.base || node.base->epoch != epoch) return std::nullopt;
  return node.base->directory;
}

InodeTable::Route InodeTable::route(const Node& node, std::uint64_t edition) const {
  const std::lock_guard lock(mutex_);
  Route found{.directory = nullptr, .moves = moves_};
  if (node.route && node.route->edition == edition && node.route->moves == moves_) {
    found.directory = node.route->directory;
  }
  return found;
}

void InodeTable::set_route(Node& node, std::uint64_t edition, Route route) {
  const std::lock_guard lock(mutex_);
  if (!node.route) node.route = std::make_unique<Node::RouteCache>();
  *node.route = {.edition = edition, .moves = route.moves, .directory = std::move(route.directory)};
}

std::vector<NodeRef> InodeTable::take_idle() {
  const std::lock_guard lock(mutex_);
  std::vector<NodeRef> idle;
  for (const NodeId id : std::exchange(idle_, {})) {
    const auto found = nodes_.find(id);
    if (found == nodes_.end()) continue;
    if (found->second.lookups == 0 && found->second.pins == 0) {
      idle.push_back(pinned(found->second));
    }
  }
  return idle;
}

bool InodeTable::is_unknown(const Node& node) const {
  const std::lock_guard lock(mutex_);
  return node.lookups == 0 && node.pins == 1;
}

std::vector<NodeRef> InodeTable::all() {
  const std::lock_guard lock(mutex_);
  std::vector<NodeRef> found;
  found.reserve(nodes_.size());
  for (auto& [id, node] : nodes_) found.push_back(pinned(node));
  return found;
}

bool InodeTable::has_shrunk() {
  constexpr std::size_t kManyNodes = 65'536;
  const std::lock_guard lock(mutex_);
  if (nodes_max_ < kManyNodes || nodes_.size() > nodes_max_ / 2) return false;
  nodes_max_ = nodes_.size();
  return true;
}

std::uint64_t InodeTable::size() const {
  const std::lock_guard lock(mutex_);
  return nodes_.size();
}

}  // namespace satchel::fs
