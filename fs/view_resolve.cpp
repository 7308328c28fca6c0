// From node ids and names to rows of the upper and entries of the base.

#include <algorithm>
#include <chrono>

#include "fs/deadline_pool.h"
#include "fs/interruption.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kEmptyCheckBatch = 256;
constexpr std::chrono::milliseconds kInterruptionPoll{100};

}  // namespace

Result<store::Kind> known_kind(mode_t mode) {
  const std::optional<store::Kind> kind = store::kind_of_mode(mode);
  if (!kind) return errno_answer(EINVAL);
  return *kind;
}

Error errno_answer(int code) {
  return {.code = code};
}

// The copy that is waited for has deadlines of its own.
Result<void> CopyUpQueue::enter(NodeId node) {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (copying_.contains(node)) {
    const auto waited = std::chrono::steady_clock::now() - start;
    if (waited >= DeadlinePool::kInterruptedMin && InterruptionScope::is_interrupted()) {
      return errno_answer(EINTR);
    }
    left_.wait_for(lock, kInterruptionPoll);
  }
  copying_.insert(node);
  return {};
}

void CopyUpQueue::leave(NodeId node) {
  const std::lock_guard lock(mutex_);
  copying_.erase(node);
  left_.notify_all();
}

Result<NodeRef> ViewState::require(NodeId id) {
  NodeRef node = table.find(id);
  if (!node) return errno_answer(ESTALE);
  return node;
}

Result<NodeRef> ViewState::require_directory(NodeId id) {
  SATCHEL_ASSIGN(NodeRef node, require(id));
  if (!node->is_directory()) return errno_answer(ENOTDIR);
  if (node->is_outdated) return errno_answer(ESTALE);  // the kernel looks its path up again
  return node;
}

Result<std::optional<BaseDirectory>> ViewState::base_of(Node& directory) {
  if (directory.inode) {
    Inode& inode = *directory.inode;
    if (!inode.row.base_path) return std::optional<BaseDirectory>();
    {
      const std::lock_guard lock(inode.live_mutex);
      if (inode.base_epoch == epoch) return inode.base;
    }
    SATCHEL_ASSIGN(const auto located, base->locate(*inode.row.base_path));
    std::optional<BaseDirectory> found;
    if (located && located->entry.is_directory()) found = as_base_directory(*located);
    const std::lock_guard lock(inode.live_mutex);
    inode.base_epoch = epoch;
    inode.base = found;
    return found;
  }
  if (const auto cached = table.base_cache(directory, epoch)) return std::optional(*cached);
  SATCHEL_ASSIGN(const auto located, base_entry(directory));
  if (!located.entry.is_directory()) return errno_answer(ESTALE);
  const BaseDirectory found = as_base_directory(located);
  table.set_base_cache(directory, epoch, found);
  return std::optional(found);
}

Result<store::LocatedEntry> ViewState::base_entry(Node& node) {
  if (node.id == kRootNode) return base->root_entry();
  SATCHEL_ASSERT(!node.inode && node.parent != nullptr);
  SATCHEL_ASSIGN(auto located, find_in_base(*node.parent, Name::checked(node.name)));
  if (!located) return errno_answer(ESTALE);
  return *std::move(located);
}

Result<store::ContentId> ViewState::base_content(Node& file) {
  SATCHEL_ASSERT(!file.inode && file.parent != nullptr);
  SATCHEL_ASSIGN(const auto below, base_of(*file.parent));
  if (!below) return errno_answer(ESTALE);
  SATCHEL_ASSIGN(const auto entry, base->find_entry(*below, Name::checked(file.name)));
  if (!entry) return errno_answer(ESTALE);
  return entry->content;
}

Result<std::optional<store::LocatedEntry>> ViewState::find_in_base(Node& directory,
                                                                   const Name& name) {
  SATCHEL_ASSIGN(const auto below, base_of(directory));
  if (!below) return std::optional<store::LocatedEntry>();
  return base->find(*below, name);
}

Result<std::optional<Child>> ViewState::find_child(Node& directory, const Name& name) {
  if (directory.is_removed) return std::optional<Child>();
  if (directory.inode) {
    SATCHEL_ASSIGN(const auto dentry, upper->find_dentry(directory.inode->id, name.text()));
    if (dentry && dentry->is_whiteout()) return std::optional<Child>();
    if (dentry)
      return std::optional(Child{.kind = dentry->kind, .upper = dentry->child, .base = {}});
  }
  SATCHEL_ASSIGN(auto located, find_in_base(directory, name));
  if (!located) return std::optional<Child>();
  const store::Kind kind = located->entry.kind;
  return std::optional(Child{.kind = kind, .upper = 0, .base = std::move(located)});
}

Result<NodeRef> ViewState::node_of(Node& directory, const Name& name, const Child& child) {
  if (child.upper == 0) return node_of_base(directory, name, *child.base);
  return node_of_upper(directory, name, child.upper);
}

NodeRef ViewState::node_of_base(Node& directory, const Name& name,
                                const store::LocatedEntry& entry) {
  NodeRef node = table.for_base(directory, name, entry);
  if (node->is_directory()) table.set_base_cache(*node, epoch, as_base_directory(entry));
  return node;
}

Result<NodeRef> ViewState::node_of_upper(Node& directory, const Name& name, UpperId id) {
  if (NodeRef known = table.find_upper(id)) return known;
  SATCHEL_ASSIGN(auto row, upper->find_row(id));
  if (!row) {
    return Error{.code = EUCLEAN,
                 .sat = Sat::kContradiction,
                 .message = "a name of the upper has no row",
                 .path = (path_of(directory) / name).absolute()};
  }
  return table.for_upper(std::make_shared<Inode>(id, *std::move(row)), &directory, name.text());
}

Result<NodeRef> ViewState::node_of_directory(UpperId id) {
  // Up to the first one that is known, then down again, making nodes.
  std::vector<std::shared_ptr<Inode>> unknown;
  NodeRef node = table.find_upper(id);
  while (!node) {
    SATCHEL_ASSIGN(auto row, upper->find_row(id));
    if (!row || row->kind != store::Kind::kDirectory || unknown.size() > 100'000) {
      return Error{.code = EUCLEAN,
                   .sat = Sat::kContradiction,
                   .message = "a directory of the upper stands nowhere"};
    }
    unknown.push_back(std::make_shared<Inode>(id, *std::move(row)));
    id = unknown.back()->row.parent;
    node = table.find_upper(id);
  }
  while (!unknown.empty()) {
    const std::string name = unknown.back()->row.name;
    node = table.for_upper(std::move(unknown.back()), node.get(), name);
    unknown.pop_back();
  }
  return node;
}

Result<NodeRef> ViewState::show_base_directory(const RelativePath& path) {
  if (!upper) {
    NodeRef node = table.root();
    for (const Name& name : path.names()) {
      SATCHEL_ASSIGN(const auto child, find_child(*node, name));
      if (!child || child->kind != store::Kind::kDirectory) return NodeRef();
      SATCHEL_ASSIGN(node, node_of(*node, name, *child));
    }
    return node;
  }
  std::vector<Name> below;  // deepest first
  RelativePath merged = path;
  std::optional<UpperId> place;
  for (;;) {
    SATCHEL_ASSIGN(place, upper->find_place(merged));
    if (place || merged.is_root()) break;
    below.push_back(merged.name());
    merged = merged.parent();
  }
  if (!place) return NodeRef();
  SATCHEL_ASSIGN(NodeRef node, node_of_directory(*place));
  for (; !below.empty(); below.pop_back()) {
    // A directory without a row of its own stands where the base has it, or has been removed.
    SATCHEL_ASSIGN(const auto child, find_child(*node, below.back()));
    if (!child || child->upper != 0 || child->kind != store::Kind::kDirectory) return NodeRef();
    SATCHEL_ASSIGN(node, node_of(*node, below.back(), *child));
  }
  return node;
}

Result<std::uint32_t> ViewState::visible_links(const store::FileId& file_id) {
  {
    const std::lock_guard lock(link_counts_mutex);
    if (link_counts_epoch != epoch) {
      link_counts.clear();
      link_counts_epoch = epoch;
    }
    const auto found = link_counts.find(file_id);
    if (found != link_counts.end()) return found->second;
  }
  SATCHEL_ASSIGN(const auto paths, base->links(file_id));
  std::uint32_t count = 0;
  for (const RelativePath& path : paths) {
    SATCHEL_ASSIGN(const NodeRef directory, show_base_directory(path.parent()));
    if (!directory) continue;
    SATCHEL_ASSIGN(const auto child, find_child(*directory, path.name()));
    if (child && child->base && child->base->file_id == file_id) ++count;
  }
  const std::lock_guard lock(link_counts_mutex);
  link_counts[file_id] = count;
  return count;
}

Result<bool> ViewState::is_empty(Node& directory) {
  // Names that are not whiteouts first: they settle it at once.
  SATCHEL_ASSIGN(const auto below, base_of(directory));
  std::optional<store::DirectoryCursor> cursor;
  if (below) {
    SATCHEL_ASSIGN(cursor, store::DirectoryCursor::begin(context.trees, below->page));
  }
  if (!directory.inode) return !cursor || cursor->at_end();
  std::string from;
  for (bool more = true; more;) {
    SATCHEL_ASSIGN(const auto changed,
                   upper->list_dentries(directory.inode->id, from, kEmptyCheckBatch));
    for (const NamedDentry& name : changed) {
      if (!name.dentry.is_whiteout()) return false;
      // Whiteouts stand for base names, in the base's order: any base name between is visible.
      if (!cursor || cursor->at_end()) continue;
      if (cursor->entry().name.text() < name.name) return false;
      if (cursor->entry().name.text() == name.name) SATCHEL_TRY(cursor->next());
    }
    more = changed.size() == kEmptyCheckBatch;
    if (more) from = changed.back().name + '\0';
  }
  return !cursor || cursor->at_end();
}

RelativePath ViewState::path_of(const Node& directory) {
  std::vector<const Node*> nodes;
  for (const Node* node = &directory; node->parent != nullptr; node = node->parent) {
    nodes.push_back(node);
  }
  RelativePath path;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    path = path / Name::checked((*node)->name);
  }
  return path;
}

Result<RelativePath> ViewState::seen_path_of(const Node& node) {
  if (node.parent != nullptr || node.id == kRootNode) return path_of(node);
  const auto place = table.seen_place(node);
  if (!place) return errno_answer(ESTALE);
  SATCHEL_ASSIGN(const NodeRef directory, require_directory(place->first));
  return path_of(*directory) / Name::checked(place->second);
}

Result<std::optional<RelativePath>> ViewState::base_path_of(const Node& directory) {
  std::vector<const Node*> nodes;
  const Node* node = &directory;
  for (; !node->inode && node->parent != nullptr; node = node->parent) nodes.push_back(node);
  RelativePath path;
  if (node->inode) {
    if (!node->inode->row.base_path) return std::optional<RelativePath>();
    path = *node->inode->row.base_path;
  }
  for (auto below = nodes.rbegin(); below != nodes.rend(); ++below) {
    path = path / Name::checked((*below)->name);
  }
  return std::optional(std::move(path));
}

}  // namespace satchel::fs
