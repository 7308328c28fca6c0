#include "fs/change.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fs/entry_row.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kRemoveBatch = 256;

}  // namespace

Change::Change(ViewState& view)
    : view_(view), now_(view.context.clock.now()), generation_(view.upper->generation()) {}

Result<Change::Edit*> Change::edit(Node& node) {
  const auto attached = attached_.find(&node);
  if (attached != attached_.end()) return attached->second;
  if (node.inode) {
    const auto [found, is_new] = edits_.try_emplace(node.inode->id);
    if (is_new) {
      found->second.inode = node.inode;
      const std::lock_guard lock(node.inode->live_mutex);  // of the row, only row.live moves
      found->second.row = node.inode->row;
      found->second.is_stored = node.inode->is_stored;
    }
    return &found->second;
  }
  if (node.is_directory()) return edit_directory(node);
  SATCHEL_ASSIGN(const auto located, view_.base_entry(node));
  if (located.entry.linked) return edit_linked(node, located);
  SATCHEL_ASSIGN(InodeRow row, row_of_entry(*view_.base, located));
  SATCHEL_ASSIGN(Edit * added, add(std::move(row)));
  SATCHEL_TRY(put_name(*node.parent, Name::checked(node.name), *added));
  attach(node, *added);
  return added;
}

Result<Change::Edit*> Change::edit_directory(Node& directory) {
  SATCHEL_ASSIGN(const auto located, view_.base_entry(directory));
  SATCHEL_ASSIGN(const Edit* parent, edit(*directory.parent));
  // What the base has below a directory of the base is below its base path.
  SATCHEL_ASSERT(parent->row.base_path.has_value());
  SATCHEL_ASSIGN(InodeRow row, row_of_entry(*view_.base, located));
  row.own_attributes = false;
  row.parent = parent->inode->id;
  row.name = directory.name;
  row.base_path = *parent->row.base_path / Name::checked(directory.name);
  SATCHEL_ASSIGN(Edit * added, add(std::move(row)));
  SATCHEL_ASSIGN(StagedName* const staged, stage(parent->inode->id, directory.name));
  staged->after = Dentry{.child = added->inode->id,
                         .kind = store::Kind::kDirectory,
                         .ino = store::inode_number(added->row.file_id),
                         .generation = generation_};
  Upper::put_place(batch_, *added->row.base_path, added->inode->id);
  attach(directory, *added);
  return added;
}

// One inode, so one row; and all its names have to lead there, or they would part.
Result<Change::Edit*> Change::edit_linked(Node& node, const store::LocatedEntry& located) {
  SATCHEL_ASSIGN(const auto paths, view_.base->links(located.file_id));
  SATCHEL_ASSIGN(InodeRow row, row_of_entry(*view_.base, located));
  SATCHEL_ASSIGN(Edit * added, add(std::move(row)));
  added->row.names = 0;
  for (const RelativePath& path : paths) {
    SATCHEL_ASSIGN(NodeRef directory, view_.show_base_directory(path.parent()));
    if (!directory) continue;
    SATCHEL_ASSIGN(const auto child, view_.find_child(*directory, path.name()));
    if (!child || !child->base || child->base->file_id != located.file_id) continue;
    SATCHEL_TRY(put_name(*directory, path.name(), *added));
    ++added->row.names;
    kept_.push_back(std::move(directory));
  }
  attach(node, *added);
  return added;
}

Result<Change::Edit*> Change::edit_names(Node& directory) {
  SATCHEL_ASSIGN(Edit * found, edit(directory));
  found->row.own_attributes = true;
  found->mtime = now_;
  found->ctime = now_;
  return found;
}

Result<Change::Edit*> Change::add(InodeRow row, bool is_stored) {
  takes_space();
  UpperId id = std::exchange(next_id_, 0);
  if (id == 0) {
    SATCHEL_ASSIGN(id, view_.upper->next_number());
  }
  Edit& added = edits_[id];
  added.inode = std::make_shared<Inode>(id, row);
  added.inode->is_stored = is_stored;
  added.row = std::move(row);
  added.is_new = true;
  added.is_stored = is_stored;
  return &added;
}

Result<Change::Edit*> Change::add_removed(Node& node) {
  SATCHEL_ASSIGN(const auto located, view_.base_entry(node));
  SATCHEL_ASSIGN(InodeRow row, row_of_entry(*view_.base, located));
  row.names = 0;
  SATCHEL_ASSIGN(Edit * added, add(std::move(row), /*is_stored=*/false));
  added->ctime = now_;
  attach(node, *added);
  return added;
}

void Change::attach(Node& node, Edit& edit) {
  attached_[&node] = &edit;
}

Result<bool> Change::base_has(Node& directory, const Name& name) {
  SATCHEL_ASSIGN(const auto located, view_.find_in_base(directory, name));
  return located.has_value();
}

Result<Change::StagedName*> Change::stage(UpperId directory, const std::string& name) {
  const auto [found, is_new] = names_.try_emplace({directory, name});
  StagedName& staged = found->second;
  if (is_new) {
    SATCHEL_ASSIGN(staged.before, view_.upper->find_dentry(directory, name));
    staged.after = staged.before;
  }
  return &staged;
}

Result<void> Change::put_name(Node& directory, const Name& name, const Edit& child) {
  SATCHEL_ASSIGN(const Edit* parent, edit(directory));
  SATCHEL_ASSIGN(StagedName* const staged, stage(parent->inode->id, name.text()));
  Dentry dentry{.child = child.inode->id,
                .kind = child.row.kind,
                .ino = store::inode_number(child.row.file_id),
                .generation = generation_};
  const std::optional<Dentry>& replaced = staged->after;
  if (replaced) dentry.origin = replaced->origin;
  SATCHEL_ASSIGN(const bool has_rank, base_has(directory, name));
  if (!has_rank) {
    if (replaced && replaced->position != 0) {
      dentry.position = replaced->position;
    } else {
      SATCHEL_ASSIGN(dentry.position, view_.upper->next_number());
    }
  }
  staged->after = dentry;
  return {};
}

/// Nothing of the base directory `path` counts as seen: the mark goes to the name that hides it.
Result<void> Change::mark_unseen(const RelativePath& path) {
  for (RelativePath hidden = path; !hidden.is_root(); hidden = hidden.parent()) {
    SATCHEL_ASSIGN(const auto above, view_.upper->find_place(hidden.parent()));
    if (!above) continue;
    SATCHEL_ASSIGN(StagedName* const staged, stage(*above, hidden.name().text()));
    if (!staged->after) continue;
    staged->after->origin =
        std::make_shared<const store::Entry>(store::Entry::whiteout(hidden.name()));
    return {};
  }
  return {};
}

Result<void> Change::drop_name(Node& directory, const Name& name) {
  drops_name_ = true;
  SATCHEL_ASSIGN(const Edit* parent, edit(directory));
  SATCHEL_ASSIGN(const bool is_in_base, base_has(directory, name));
  SATCHEL_ASSIGN(StagedName* const staged, stage(parent->inode->id, name.text()));
  auto origin = staged->after ? staged->after->origin : nullptr;
  staged->after.reset();
  if (is_in_base) staged->after = Dentry{.generation = generation_, .origin = std::move(origin)};
  return {};
}

Result<void> Change::uncover_name(Node& directory, const Name& name) {
  SATCHEL_ASSIGN(const Edit* parent, edit(directory));
  SATCHEL_ASSIGN(StagedName* const staged, stage(parent->inode->id, name.text()));
  staged->after.reset();
  return {};
}

Result<void> Change::remove(Edit& edit) {
  edit.is_removed = true;
  edit.row.names = 0;
  view_.scratch_directories.erase(edit.inode->id);
  // An empty directory has whiteouts left, if there is something of the base under it.
  if (!edit.row.base_path) return {};
  Upper::remove_place(batch_, *edit.row.base_path);
  const RelativePath base_path = *std::exchange(edit.row.base_path, std::nullopt);
  bool hides_unseen = false;
  std::string from;
  for (bool more = true; more;) {
    SATCHEL_ASSIGN(const auto left, view_.upper->list_dentries(edit.inode->id, from, kRemoveBatch));
    for (const NamedDentry& name : left) {
      Upper::remove_dentry(batch_, edit.inode->id, name.name);
      hides_unseen = hides_unseen || name.dentry.origin != nullptr;
    }
    more = left.size() == kRemoveBatch;
    if (more) from = left.back().name + '\0';
  }
  return hides_unseen ? mark_unseen(base_path) : Result<void>();
}

// For a hot inode, what its bytes have done so far comes before this change.
bool Change::copy_live(Edit& edit) {
  const std::lock_guard lock(edit.inode->live_mutex);
  view_.catch_up(*edit.inode);
  edit.row.live = edit.inode->row.live;
  edit.row.bytes_mtime = edit.inode->row.bytes_mtime;
  return edit.inode->is_hot;
}

void Change::put_edits() {
  for (auto& [id, edit] : edits_) {
    if (edit.is_removed) {
      if (edit.inode->is_stored && !edit.is_new) Upper::remove_row(batch_, id);
      continue;
    }
    edit.row.generation = generation_;
    const bool is_hot = !edit.is_new && copy_live(edit);
    if (!edit.is_stored) continue;
    LiveFields& live = edit.row.live;
    if (edit.size) live.size = *edit.size;
    if (edit.blocks) live.blocks = *edit.blocks;
    if (edit.atime) live.atime = *edit.atime;
    if (edit.mtime) live.mtime = *edit.mtime;
    if (edit.ctime) live.ctime = *edit.ctime;
    if (edit.row.has_own_bytes() && !is_hot) {
      // So that recovery sees whether the bytes moved on after this row.
      struct stat found {};
      if (::fstatat(view_.upper->bytes_folder(id), Upper::bytes_name(id).c_str(), &found,
                    AT_SYMLINK_NOFOLLOW) == 0) {
        edit.row.bytes_mtime = Timestamp::from(found.st_mtim);
      }
    }
    Upper::put_row(batch_, id, edit.row);
  }
}

void Change::put_names() {
  for (const auto& [key, name] : names_) {
    const auto& [directory, text] = key;
    const std::uint64_t old_position = name.before ? name.before->position : 0;
    const std::uint64_t new_position = name.after ? name.after->position : 0;
    if (old_position != 0 && old_position != new_position) {
      Upper::remove_position(batch_, directory, old_position);
    }
    if (new_position != 0 && old_position != new_position) {
      Upper::put_position(batch_, directory, new_position, text);
    }
    if (name.after) {
      Upper::put_dentry(batch_, directory, text, *name.after);
    } else if (name.before) {
      Upper::remove_dentry(batch_, directory, text);
    }
  }
}

void Change::apply(Edit& edit) {
  Inode& inode = *edit.inode;
  const std::lock_guard lock(inode.live_mutex);
  // Bytes may have changed since put_edits(): memory stays ahead then.
  LiveFields live = edit.is_new ? edit.row.live : inode.row.live;
  if (edit.size) live.size = *edit.size;
  if (edit.blocks) live.blocks = *edit.blocks;
  if (edit.atime) live.atime = *edit.atime;
  if (edit.mtime) live.mtime = *edit.mtime;
  if (edit.ctime) live.ctime = *edit.ctime;
  inode.is_stored = edit.is_stored && !edit.is_removed;
  inode.is_dirty = !inode.is_stored || live != edit.row.live;
  inode.base_epoch = 0;
  inode.row = std::move(edit.row);
  inode.row.live = live;
}

void Change::tell(ChangeWatch& watch) const {
  std::map<UpperId, RelativePath> left;  // where directories stood until now
  const auto each = [&](const auto& visit) {
    for (const auto& [key, name] : names_) {
      const NodeRef directory = view_.table.find_upper(key.first);
      if (!directory || directory->is_removed) continue;
      const bool is_there = name.after && !name.after->is_whiteout();
      // Without a row before, the name was the base's or nobody's.
      const bool was_there =
          name.before ? !name.before->is_whiteout() : name.after && name.after->position == 0;
      visit(ViewState::path_of(*directory) / Name::checked(key.second), name, was_there, is_there);
    }
  };
  each([&](const RelativePath& path, const StagedName& name, bool was_there, bool is_there) {
    if (!was_there || is_there) return;
    watch.note_removed(path, name.before ? name.before->kind : store::Kind::kFile);
    if (name.before) left.emplace(name.before->child, path);
  });
  each([&](const RelativePath& path, const StagedName& name, bool was_there, bool is_there) {
    if (!is_there) return;
    if (!was_there) {
      watch.note_made(path, name.after->kind);
      const auto from = left.find(name.after->child);
      if (from != left.end() && name.after->kind == store::Kind::kDirectory) {
        watch.note_moved(from->second, path);
      }
    } else if (name.after->kind != store::Kind::kDirectory && name.before != name.after) {
      watch.note_changed(path, name.after->kind);
    }
  });
}

void Change::note_scratch() {
  for (const auto& [key, name] : names_) {
    if (!name.after) continue;
    const auto child = edits_.find(name.after->child);
    if (child == edits_.end() || !child->second.row.is_scratch) continue;
    view_.scratch_directories.insert(key.first);
  }
}

Result<void> Change::commit(store::Durability durability) {
  put_edits();
  put_names();
  const bool is_ordinary = takes_space_ && !drops_name_;
  const auto use = is_ordinary ? store::SpaceUse::kOrdinary : store::SpaceUse::kAll;
  if (!batch_.is_empty()) SATCHEL_TRY(view_.upper->write(batch_, durability, use));
  note_scratch();
  for (auto& [id, edit] : edits_) apply(edit);
  for (auto& [node, edit] : attached_) view_.table.attach(*node, edit->inode);
  for (const auto& action : after_) action();
  if (!view_.watches.is_empty()) {
    view_.watches.tell([this](ChangeWatch& watch) { tell(watch); });
  }
  return {};
}

}  // namespace satchel::fs
