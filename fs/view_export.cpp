// Nodes that the kernel has forgotten, found again by their id: for NFS.

#include "fs/node_index.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kDepthMax = 100'000;

Error gone() {
  return errno_answer(ESTALE);
}

/// The file that stands at a place, if it is the one that the index means.
Result<NodeRef> node_at(ViewState& view, Node& directory, const NodeIndex::Place& place) {
  SATCHEL_ASSIGN(const auto name, Name::parse(place.name));
  SATCHEL_ASSIGN(const auto child, view.find_child(directory, name));
  if (!child) return NodeRef();
  SATCHEL_ASSIGN(NodeRef node, view.node_of(directory, name, *child));
  return node->file_id == place.file_id ? std::move(node) : NodeRef();
}

/// By its row, which knows where a directory stands and does not need to for a file.
Result<NodeRef> node_of_row(ViewState& view, const NodeIndex::Place& place) {
  if (!view.upper || place.upper == 0) return NodeRef();
  if (NodeRef known = view.table.find_upper(place.upper)) return known;
  SATCHEL_ASSIGN(auto row, view.upper->find_row(place.upper));
  if (!row || row->file_id != place.file_id) return NodeRef();
  if (row->kind == store::Kind::kDirectory) return view.node_of_directory(place.upper);
  auto inode = std::make_shared<Inode>(place.upper, *std::move(row));
  return view.table.for_upper(std::move(inode), nullptr, {});
}

/// By another of its names, when the one that the index knows is gone.
Result<NodeRef> node_of_link(ViewState& view, const NodeIndex::Place& place) {
  SATCHEL_ASSIGN(const auto paths, view.base->links(place.file_id));
  for (const RelativePath& path : paths) {
    SATCHEL_ASSIGN(const NodeRef directory, view.show_base_directory(path.parent()));
    if (!directory) continue;
    NodeIndex::Place other = place;
    other.name = path.name().text();
    SATCHEL_ASSIGN(NodeRef node, node_at(view, *directory, other));
    if (node) return node;
  }
  return NodeRef();
}

}  // namespace

Result<NodeRef> ViewState::recall(NodeId id) {
  if (NodeRef known = table.find(id)) return known;
  if (context.nodes == nullptr) return gone();
  struct Unknown {
    NodeId id;
    NodeIndex::Place place;
  };
  // Up to the first node that can be had without its directory, then down again.
  std::vector<Unknown> unknown;
  NodeRef node;
  for (NodeId next = id; !node;) {
    SATCHEL_ASSIGN(const auto place, context.nodes->find_place(next));
    if (!place || unknown.size() > kDepthMax) return gone();
    unknown.push_back({.id = next, .place = *place});
    SATCHEL_ASSIGN(node, node_of_row(*this, *place));
    if (node) {
      unknown.pop_back();
      if (node->id != next) return gone();
    } else {
      next = place->parent;
      node = table.find(next);
    }
  }
  for (; !unknown.empty(); unknown.pop_back()) {
    const Unknown& below = unknown.back();
    NodeRef found;
    if (node->is_directory() && !node->is_removed) {
      SATCHEL_ASSIGN(found, node_at(*this, *node, below.place));
    }
    if (!found) {
      SATCHEL_ASSIGN(found, node_of_link(*this, below.place));
    }
    if (!found || found->id != below.id) return gone();
    node = std::move(found);
  }
  return node;
}

Result<NodeReply> View::find_again(NodeId id) {
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(NodeRef node, state_->recall(id));
  if (node->is_removed) return gone();
  return state_->reply_with(std::move(node));
}

Result<NodeReply> View::find_parent(NodeId id) {
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef node, state_->recall(id));
  if (!node->is_directory()) return errno_answer(ENOTDIR);
  if (node->is_removed) return gone();
  Node& parent = node->parent != nullptr ? *node->parent : *node;
  return state_->reply_with(state_->table.pin(parent));
}

}  // namespace satchel::fs
