// What a round sees of the upper: seal, read, has it changed since.

#include <fcntl.h>

#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kBatchNames = 1024;

/// Calls `visit` for every changed name of one directory, ascending.
template <typename Visit>
Result<void> for_each_name(const Upper& upper, UpperId directory, const Visit& visit) {
  std::string from;
  for (bool more = true; more;) {
    SATCHEL_ASSIGN(const auto names, upper.list_dentries(directory, from, kBatchNames));
    for (const NamedDentry& name : names) SATCHEL_TRY(visit(name));
    more = names.size() == kBatchNames;
    if (more) from = names.back().name + '\0';
  }
  return {};
}

/// Builds the nodes of a SealedUpper, directory by directory.
class Sealer {
 public:
  Sealer(const Upper& upper, store::SealedUpper& sealed, SealedPlaces& places)
      : upper_(upper), sealed_(sealed), places_(places) {}

  Result<void> run() {
    SATCHEL_TRY(add(kRootUpper, {}, {}));
    while (!directories_.empty()) {
      const Open directory = std::move(directories_.front());
      directories_.pop_front();
      SATCHEL_TRY(for_each_name(upper_, directory.id, [&](const NamedDentry& name) {
        return add_name(directory, name);
      }));
    }
    return {};
  }

 private:
  struct Open {
    UpperId id = 0;
    std::uint32_t node = 0;
    RelativePath path;
    std::optional<RelativePath> base_path;
  };

  Result<void> add_name(const Open& directory, const NamedDentry& name) {
    store::UpperNode::Child child{
        .name = Name::checked(name.name), .node = {}, .origin = name.dentry.origin};
    if (!name.dentry.is_whiteout()) {
      if (name.dentry.position != 0) places_.names[directory.id].push_back(name.name);
      std::optional<RelativePath> same_place;
      if (directory.base_path) same_place = *directory.base_path / child.name;
      SATCHEL_ASSIGN(child.node, add(name.dentry.child, directory.path / child.name, same_place));
    }
    sealed_.nodes[directory.node].children.push_back(std::move(child));
    return {};
  }

  Result<std::uint32_t> add(UpperId id, const RelativePath& path,
                            const std::optional<RelativePath>& same_place) {
    const auto [known, is_new] = index_.try_emplace(id, sealed_.nodes.size());
    if (!is_new) return known->second;
    const std::uint32_t index = known->second;
    SATCHEL_ASSIGN(auto row, upper_.find_row(id));
    if (!row) {
      return Error{
          .code = EUCLEAN, .sat = Sat::kContradiction, .message = "a name of the upper has no row"};
    }
    store::UpperNode node;
    node.id = id;
    node.file_id = row->file_id;
    node.kind = row->kind;
    node.has_own_attributes = row->own_attributes;
    node.mode = row->mode;
    node.uid = row->uid;
    node.gid = row->gid;
    node.mtime = row->live.mtime;
    node.xattrs = std::move(row->xattrs);
    node.content = row->content;
    node.size = row->live.size;
    node.target = std::move(row->target);
    node.device = row->device;
    node.names = row->names;
    places_.paths.emplace(id, path);
    if (row->kind == store::Kind::kDirectory) {
      if (row->base_path) places_.by_base_path.emplace(row->base_path->text(), path);
      if (row->base_path) {
        const bool is_same = id == kRootUpper || row->base_path == same_place;
        node.base =
            is_same ? store::BaseOfDirectory::kSamePlace : store::BaseOfDirectory::kBasePath;
        if (!is_same) node.base_path = *row->base_path;
      }
      directories_.push_back({.id = id, .node = index, .path = path, .base_path = row->base_path});
    }
    sealed_.nodes.push_back(std::move(node));
    return index;
  }

  const Upper& upper_;
  store::SealedUpper& sealed_;
  SealedPlaces& places_;
  std::unordered_map<UpperId, std::uint32_t> index_;
  std::deque<Open> directories_;
};

Error no_such_row() {
  return {.code = ESTALE, .message = "the file is no longer in the upper"};
}

}  // namespace

Result<store::SealedUpper> ViewState::seal() {
  const std::unique_lock lock(names);
  cool_all();
  const std::vector<NodeRef> written = hot_nodes();
  for (const NodeRef& node : written) {
    const std::lock_guard live_lock(node->inode->live_mutex);
    node->inode->row.live.data_generation = upper->generation();
    node->inode->is_dirty = true;
  }
  SATCHEL_TRY(flush_all());
  store::SealedUpper result;
  const UpperBase from = upper->base();
  result.base_root = from.root;
  result.base_version = from.version;
  SealedPlaces places;
  SATCHEL_TRY(Sealer(*upper, result, places).run());
  SATCHEL_ASSIGN(result.generation, upper->end_generation());
  // What cooled while the rows were read may be older there than its bytes: it has changed since.
  for (const NodeRef& node : written) {
    const std::lock_guard live_lock(node->inode->live_mutex);
    if (node->inode->is_hot) continue;
    node->inode->row.live.data_generation = upper->generation();
    node->inode->is_dirty = true;
  }
  places.generation = result.generation;
  sealed = std::move(places);
  return result;
}

Result<store::SealedUpper> View::seal() {
  SATCHEL_TRY(state_->require_writable());
  auto sealed = state_->seal();
  state_->settle();  // what was pinned meanwhile, and of what was hot
  return sealed;
}

Result<UniqueFd> View::read(store::UpperId id) {
  SATCHEL_TRY(state_->require_writable());
  auto completed = state_->complete_bytes(id, {});
  if (!completed && completed.error().code == ENOENT) return no_such_row();
  SATCHEL_TRY(completed);
  auto fd = state_->upper->open_bytes(id, O_RDONLY);
  if (!fd && fd.error().code == ENOENT) return no_such_row();
  return fd;
}

Result<bool> View::is_unchanged_since(store::UpperId id, store::Generation generation) {
  SATCHEL_TRY(state_->require_writable());
  std::shared_ptr<Inode> inode;
  {
    const std::shared_lock lock(state_->names);
    const NodeRef node = state_->table.find_upper(id);
    if (!node) {
      SATCHEL_ASSIGN(const auto row, state_->upper->find_row(id));
      if (!row) return no_such_row();
      return row->live.data_generation <= generation;
    }
    inode = node->inode;
  }
  // A writer that has changed bytes and not yet said so holds the io_mutex.
  const std::lock_guard io_lock(inode->io_mutex);
  const std::lock_guard live_lock(inode->live_mutex);
  return inode->is_stored && !inode->is_hot && inode->row.live.data_generation <= generation;
}

Result<View::Counts> View::counts() {
  Counts counts;
  counts.nodes = state_->table.size();
  counts.handles = state_->handles.size();
  if (!state_->upper) return counts;
  const std::shared_lock lock(state_->names);
  std::unordered_set<UpperId> files;
  std::vector<std::pair<UpperId, RelativePath>> directories{{kRootUpper, RelativePath()}};
  while (!directories.empty()) {
    const auto [id, path] = std::move(directories.back());
    directories.pop_back();
    SATCHEL_TRY(for_each_name(*state_->upper, id, [&](const NamedDentry& name) -> Result<void> {
      const RelativePath child = path / Name::checked(name.name);
      if (name.dentry.kind == store::Kind::kDirectory) {
        directories.emplace_back(name.dentry.child, child);
      } else if (!name.dentry.is_whiteout() &&
                 state_->context.router.decide(child, name.dentry.kind).travels()) {
        files.insert(name.dentry.child);
      }
      return {};
    }));
  }
  counts.dirty_files = files.size();
  return counts;
}

}  // namespace satchel::fs
