// The base switch: a plan (fs/switch_plan.h) is written as one batch, and memory follows it.

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/fault_point.h"
#include "fs/view_state.h"
#include "store/diff.h"

namespace satchel::fs {
namespace {

/// A path that the two trees have differently.
struct ChangedPath {
  RelativePath path;
  std::optional<store::Entry> first, second;
};

/// Apart from attributes.
bool is_same_file(const store::Entry& first, const store::Entry& second) {
  return first.kind == second.kind && first.content == second.content &&
         first.target == second.target && first.device == second.device;
}

/// Who knows the first entry may go on as if it were the second, in the same place.
bool is_same_inode(const store::Entry& first, const store::Entry& second) {
  return is_same_file(first, second) && first.linked == second.linked &&
         first.file_id == second.file_id;
}

class Switcher {
 public:
  Switcher(ViewState& view, const store::BaseSwitch& change) : view_(view), change_(change) {}

  Result<void> run() {
    SATCHEL_ASSIGN(next_, BaseTree::open(view_.context.trees, change_.base_root));
    SATCHEL_ASSIGN(snapshot_, BaseTree::open(view_.context.trees, change_.snapshot));
    SATCHEL_TRY(compare_trees());
    {
      const std::unique_lock lock(view_.names);
      SATCHEL_TRY(switch_locked());
    }
    adopt();
    notify();
    view_.settle();
    return {};
  }

 private:
  /// What other devices changed, and so what the kernel has to hear of.
  Result<void> compare_trees() {
    if (change_.snapshot == change_.base_root) return {};
    return store::walk_changes(view_.context.trees, snapshot_->root(), next_->root(),
                               [&](const store::Change& change) -> Result<void> {
                                 ChangedPath changed{
                                     .path = change.path, .first = {}, .second = {}};
                                 if (change.first != nullptr) changed.first = *change.first;
                                 if (change.second != nullptr) changed.second = *change.second;
                                 changed_.push_back(std::move(changed));
                                 return {};
                               });
  }

  Result<void> switch_locked() {
    if (view_.sealed.generation != change_.generation) {
      return Error{.code = ESTALE, .message = "the upper was sealed anew, or never, since"};
    }
    // Who may be writing is asked before the rows are written: what is closed meanwhile counts as
    // written still, and what is cooled is in its row then.
    std::set<UpperId> written;
    const auto files = view_.handles.files();
    for (const auto& file : files) {
      if (file->node().inode && keeps_bytes(*file)) written.insert(file->node().inode->id);
    }
    view_.cool_all();
    for (const NodeRef& node : view_.hot_nodes()) written.insert(node->inode->id);
    SATCHEL_TRY(view_.flush_all());
    SATCHEL_ASSIGN(SwitchPlan plan, plan_switch({.upper = *view_.upper,
                                                 .old_base = *view_.base,
                                                 .snapshot = *snapshot_,
                                                 .next = *next_,
                                                 .sealed = view_.sealed,
                                                 .change = change_,
                                                 .written = written}));
    SATCHEL_TRY(fault_point("upper.base_switch"));
    SATCHEL_TRY(view_.upper->write(plan.batch, store::Durability::kPowerCut));
    // Written: from here on there is no way back, and nothing that may fail.
    follow(plan, files);
    return {};
  }

  /// The file cannot become the base's while this is open: it may be written; or the next writer
  /// would find the kernel using other bytes, and have to replace a node that NFS has a handle of.
  bool keeps_bytes(const FileHandle& file) const {
    const bool is_exported = view_.context.nodes != nullptr;
    return file.is_writable() || (is_exported && view_.modes.is_passed(file.opened->id));
  }

  void follow(const SwitchPlan& plan, const std::vector<std::shared_ptr<FileHandle>>& files) {
    keep_positions(plan);
    view_.upper->set_base({.root = change_.base_root,
                           .version = change_.base_version,
                           .image_root = change_.image_root});
    view_.base = next_;
    ++view_.epoch;
    view_.sealed = {};
    follow_made(plan);
    for (const auto& [id, content] : plan.adopted) adopted_ids_.insert(id);
    for (const auto& [id, row] : plan.kept) {
      if (plan.renewed.contains(id)) continue;
      follow_kept(id, row, files);
    }
    for (const auto& [id, row] : plan.kept) {
      const auto renewed = plan.renewed.find(id);
      if (renewed != plan.renewed.end()) follow_renewed(id, renewed->second, files);
    }
    for (const SwitchPlan::Dropped& dropped : plan.dropped) follow_dropped(dropped, files);
    // What is in a removed directory before the directory: the way to it leads through it.
    for (auto changed = changed_.rbegin(); changed != changed_.rend(); ++changed) {
      follow_changed(*changed);
    }
    set_bytes_aside(plan);
    const NodeRef root = view_.table.root();
    inodes_.insert(root->id);
  }

  /// Base entries that have rows now, because the next base does not have them, and directories of
  /// the next base that were removed.
  void follow_made(const SwitchPlan& plan) {
    std::map<UpperId, const InodeRow*> rows;
    for (const auto& [id, row] : plan.kept) rows.emplace(id, &row);
    for (const SwitchPlan::Made& made : plan.made) {
      const NodeRef parent = view_.table.find_upper(made.parent);
      if (!parent) continue;
      const NodeRef node = view_.table.find_base(*parent, made.name);
      if (node && !node->inode) {
        view_.table.attach(*node, std::make_shared<Inode>(made.id, *rows.at(made.id)));
      } else if (!node) {
        note_name(*parent, made.name);
      }
    }
    for (const auto& [directory, name] : plan.uncovered) {
      if (const NodeRef parent = view_.table.find_upper(directory)) note_name(*parent, name);
    }
  }

  /// The kernel may remember that there is nothing.
  void note_name(const Node& parent, const std::string& name) {
    entries_.insert({parent.id, name});
    inodes_.insert(parent.id);
  }

  /// Directories that are being read: names that move from the upper's order to the base's.
  void keep_positions(const SwitchPlan& plan) {
    for (const auto& handle : view_.handles.directories()) {
      const std::lock_guard lock(handle->mutex);
      if (!handle->node->inode) continue;
      const auto committed = plan.committed.find(handle->node->inode->id);
      if (committed == plan.committed.end()) continue;
      handle->committed.insert(handle->committed.end(), committed->second.begin(),
                               committed->second.end());
      std::sort(handle->committed.begin(), handle->committed.end());
    }
  }

  /// Out of the way of a new file of the same number, until adopt() without the lock. What somebody
  /// can still write to becomes no content: a mapping that was made through an earlier mount.
  void set_bytes_aside(const SwitchPlan& plan) {
    for (const auto& [id, content] : plan.adopted) {
      if (view_.upper->has_writers(id)) {
        (void)view_.upper->remove_bytes(id);  // else an orphan: found at the next open
        continue;
      }
      const int folder = view_.upper->bytes_folder(id);
      const std::string name = Upper::bytes_name(id);
      const std::string aside = name + ".adopted";
      if (::renameat(folder, name.c_str(), folder, aside.c_str()) == 0) {
        adopted_.push_back({.folder = folder, .name = aside, .content = content});
      }
    }
  }

  void retire(Inode& inode, const store::ContentId& content,
              const std::vector<std::shared_ptr<FileHandle>>& files) {
    inode.is_retired = true;
    for (const auto& file : files) {
      const std::lock_guard lock(file->mutex);
      if (file->node().inode.get() != &inode && file->inode.get() != &inode) continue;
      if (inode.row.has_own_bytes()) view_.modes.rename_source(file->opened->id, content);
      file->content = content;
      file->inode.reset();
      file->bytes.reset();
    }
  }

  void follow_kept(UpperId id, const InodeRow& row,
                   const std::vector<std::shared_ptr<FileHandle>>& files) {
    const NodeRef node = view_.table.find_upper(id);
    if (!node) return;
    const std::shared_ptr<Inode> inode = node->inode;
    view_.table.change_file_id(*node, row.file_id);
    {
      const std::lock_guard lock(inode->live_mutex);
      if (inode->row == row) return;
      inodes_.insert(node->id);
      if (!adopted_ids_.contains(id)) {
        const LiveFields live = inode->is_dirty ? inode->row.live : row.live;
        inode->row = row;
        inode->row.live = live;
        inode->base_epoch = 0;
        return;
      }
    }
    // The same bytes, which are a content of the base from now on: whatever has the old inode in
    // hand looks for the new one before it changes them, and the names lead where they led.
    retire(*inode, *row.content, files);
    auto renewed = std::make_shared<Inode>(id, row);
    {
      const std::lock_guard lock(inode->live_mutex);
      renewed->row.live.atime = inode->row.live.atime;
      renewed->is_dirty = renewed->row.live != row.live;
    }
    view_.table.attach(*node, std::move(renewed));
  }

  /// Other bytes: who has the old ones open keeps them, under a node that has no name any more.
  void follow_renewed(UpperId id, const std::vector<std::pair<UpperId, std::string>>& names,
                      const std::vector<std::shared_ptr<FileHandle>>& files) {
    const NodeRef node = view_.table.find_upper(id);
    if (!node) return;
    inodes_.insert(node->id);
    for (const auto& [directory, name] : names) {
      if (const NodeRef parent = view_.table.find_upper(directory)) {
        entries_.insert({parent->id, name});
      }
    }
    const std::shared_ptr<Inode> inode = node->inode;
    InodeRow old_row;
    {
      const std::lock_guard lock(inode->live_mutex);
      old_row = inode->row;
    }
    old_row.names = 0;
    old_row.content = content_before(id, old_row);
    retire(*inode, *old_row.content, files);
    orphan(*node, std::move(old_row));
  }

  [[nodiscard]] store::ContentId content_before(UpperId id, const InodeRow& row) const {
    if (row.content) return *row.content;
    const auto hashed = change_.contents.find(id);
    return hashed == change_.contents.end() ? store::ContentId{} : hashed->second;
  }

  void follow_dropped(const SwitchPlan::Dropped& dropped,
                      const std::vector<std::shared_ptr<FileHandle>>& files) {
    view_.scratch_directories.erase(dropped.id);
    const NodeRef node = view_.table.find_upper(dropped.id);
    if (node && !become_base(*node, dropped, files)) {
      Inode& inode = *node->inode;
      inode.row.names = 0;
      inode.row.base_path.reset();
      inode.is_stored = false;
      {
        const std::lock_guard lock(inode.live_mutex);
        inode.is_dirty = true;  // its bytes go when nobody has it open any more
      }
      view_.table.mark_removed(*node);
      node->is_outdated = true;
      return;
    }
    if (dropped.kind == store::Kind::kFile && !adopted_ids_.contains(dropped.id)) {
      (void)view_.upper->remove_bytes(dropped.id);  // else an orphan: found at the next open
    }
  }

  /// The node goes on as the entry that its row has become.
  bool become_base(Node& node, const SwitchPlan::Dropped& dropped,
                   const std::vector<std::shared_ptr<FileHandle>>& files) {
    if (dropped.kind == store::Kind::kDirectory) {
      if (!dropped.next || !dropped.next->is_directory()) return false;
      const auto located = next_->locate(dropped.path);
      if (!located || !*located) return false;
      view_.table.detach_to_base(node, *node.parent, node.name, **located);
      return true;
    }
    if (!dropped.snapshot) return false;
    const auto place = find_again(*dropped.snapshot, node.file_id, dropped.path);
    if (!place) return false;
    if (dropped.kind == store::Kind::kFile) {
      retire(*node.inode, place->located.entry.content, files);
    }
    view_.table.detach_to_base(node, *place->parent, place->name, place->located);
    return true;
  }

  /// Where the view shows an entry of the next base.
  struct BasePlace {
    NodeRef parent;
    std::string name;
    store::LocatedEntry located;
  };

  /// The file that was `before` as the next base has it: at `path`, or under another of its names.
  std::optional<BasePlace> find_again(const store::Entry& before, const store::FileId& file_id,
                                      const RelativePath& path) {
    std::vector<RelativePath> paths{path};
    if (before.linked) {
      const auto links = next_->links(file_id);
      if (links) paths.insert(paths.end(), links->begin(), links->end());
    }
    for (const RelativePath& candidate : paths) {
      auto parent = view_.show_base_directory(candidate.parent());
      if (!parent || !*parent) continue;
      const auto child = view_.find_child(**parent, candidate.name());
      if (!child || !*child || !(*child)->base) continue;
      const store::LocatedEntry& located = *(*child)->base;
      if (located.file_id != file_id || !is_same_file(before, located.entry)) continue;
      return BasePlace{
          .parent = *std::move(parent), .name = candidate.name().text(), .located = located};
    }
    return std::nullopt;
  }

  void orphan(Node& node, InodeRow row) {
    auto number = view_.upper->next_number();
    // Without a number the disk is full to the last byte; the old row's will do, for it is unused.
    auto inode = std::make_shared<Inode>(number ? *number : UINT64_MAX, std::move(row));
    inode->is_stored = false;
    view_.table.orphan(node, std::move(inode));
  }

  /// The node of a path, if the kernel knows it. Reads no tree.
  NodeRef known_node(const RelativePath& path) {
    std::vector<Name> below;  // deepest first
    RelativePath merged = path;
    for (;; merged = merged.parent()) {
      const auto place = view_.upper->find_place(merged);
      if (!place) return {};
      if (*place) {
        NodeRef node = view_.table.find_upper(**place);
        for (; node && !below.empty(); below.pop_back()) {
          node = view_.table.find_base(*node, below.back().text());
        }
        return node;
      }
      if (merged.is_root()) return {};
      below.push_back(merged.name());
    }
  }

  void follow_changed(const ChangedPath& changed) {
    if (changed.path.is_root()) return;
    if (const NodeRef parent = known_node(changed.path.parent())) {
      entries_.insert({parent->id, changed.path.name().text()});
      inodes_.insert(parent->id);  // else a listing that the kernel keeps may lack the name
    }
    if (changed.second && changed.second->linked) {
      // One name more, or less, for all of them.
      const NodeRef linked = view_.table.find_linked(*changed.second->file_id);
      if (linked) inodes_.insert(linked->id);
    }
    if (!changed.first) return;
    NodeRef node = changed.first->linked ? view_.table.find_linked(*changed.first->file_id)
                                         : known_node(changed.path);
    if (!node || node->inode) return;
    inodes_.insert(node->id);
    if (changed.second && is_same_inode(*changed.first, *changed.second)) return;
    if (!node->is_directory()) {
      // It may have other names, by which it is in use.
      if (const auto place = find_again(*changed.first, node->file_id, changed.path)) {
        view_.table.detach_to_base(*node, *place->parent, place->name, place->located);
        return;
      }
    }
    auto row = row_of_entry(*snapshot_, {.entry = *changed.first, .file_id = node->file_id});
    if (!row) return;  // its pages are gone: the node answers ESTALE
    row->names = 0;
    orphan(*node, *std::move(row));
  }

  /// The committed bytes are of use as contents. If that fails they are fetched when needed.
  void adopt() {
    for (const Aside& file : adopted_) {
      const auto adopted =
          view_.context.contents.adopt(file.content, file.folder, file.name.c_str());
      if (adopted) continue;
      view_.context.log.warn("committed bytes could not be kept error=\"{}\"",
                             to_text(adopted.error()));
      (void)::unlinkat(file.folder, file.name.c_str(), 0);  // else an orphan: found at open
    }
  }

  void notify() {
    KernelNotifier* const notifier = view_.notifier.load();
    if (notifier == nullptr) return;
    for (const auto& [parent, name] : entries_) notifier->forget_entry(parent, Name::checked(name));
    for (const NodeId node : inodes_) notifier->forget_inode(node);
  }

  struct Aside {
    int folder = -1;
    std::string name;
    store::ContentId content;
  };

  ViewState& view_;
  const store::BaseSwitch& change_;
  std::shared_ptr<const BaseTree> next_, snapshot_;
  std::vector<ChangedPath> changed_;
  std::vector<Aside> adopted_;
  std::set<UpperId> adopted_ids_;
  std::set<std::pair<NodeId, std::string>> entries_;
  std::set<NodeId> inodes_;
};

}  // namespace

Result<void> View::switch_base(const store::BaseSwitch& change) {
  SATCHEL_TRY(state_->require_writable());
  return Switcher(*state_, change).run();
}

}  // namespace satchel::fs
