// rename(2) and its three flags.

#include <sys/stat.h>

#include "base/fault_point.h"
#include "fs/change.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

bool is_within(const Node& node, const Node& directory) {
  for (const Node* above = &node; above != nullptr; above = above->parent) {
    if (above == &directory) return true;
  }
  return false;
}

/// What is renamed, and what stands there.
struct Rename {
  Node& from_directory;
  const Name& from_name;
  Node& from;
  Node& to_directory;
  const Name& to_name;
  Node* to;  ///< null: nothing
};

Result<void> check(ViewState& view, const Rename& rename, RenameMode mode) {
  SATCHEL_TRY(view.check_rules(rename.from_directory, rename.from_name, rename.from.kind));
  if (rename.to != nullptr && mode == RenameMode::kNoReplace) return errno_answer(EEXIST);
  if (rename.to == nullptr && mode == RenameMode::kExchange) return errno_answer(ENOENT);
  if (rename.to_directory.is_removed) return errno_answer(ENOENT);
  if (rename.from.is_directory() && is_within(rename.to_directory, rename.from)) {
    return errno_answer(EINVAL);
  }
  if (rename.to != nullptr && rename.to->is_directory() &&
      is_within(rename.from_directory, *rename.to)) {
    return errno_answer(mode == RenameMode::kExchange ? EINVAL : ENOTEMPTY);
  }
  if (mode == RenameMode::kExchange) {
    SATCHEL_TRY(view.check_rules(rename.from_directory, rename.from_name, rename.to->kind));
  } else if (rename.to != nullptr) {
    if (rename.from.is_directory() && !rename.to->is_directory()) return errno_answer(ENOTDIR);
    if (!rename.from.is_directory() && rename.to->is_directory()) return errno_answer(EISDIR);
    if (rename.to->is_directory()) {
      SATCHEL_ASSIGN(const bool is_empty, view.is_empty(*rename.to));
      if (!is_empty) return errno_answer(ENOTEMPTY);
    }
  }
  return view.check_rules(rename.to_directory, rename.to_name, rename.from.kind);
}

/// Counts the directory `child` in `to`, and no more in `from`.
Result<void> move_subdirectory(Change& change, Node& from, Node& to, Node& child,
                               const Name& name) {
  if (!child.is_directory()) return {};
  SATCHEL_ASSIGN(Change::Edit * old_parent, change.edit(from));
  --old_parent->row.subdirectories;
  SATCHEL_ASSIGN(Change::Edit * new_parent, change.edit(to));
  ++new_parent->row.subdirectories;
  SATCHEL_ASSIGN(Change::Edit * moved, change.edit(child));
  moved->row.parent = new_parent->inode->id;
  moved->row.name = name.text();
  return {};
}

/// A whiteout as overlayfs makes and knows it: a character device 0:0.
Result<void> leave_whiteout(ViewState& view, Change& change, const Rename& rename,
                            const Caller& caller) {
  SATCHEL_ASSIGN(InodeRow row, view.new_row(rename.from_directory, store::Kind::kCharDevice, 0,
                                            caller, change.now()));
  SATCHEL_ASSIGN(const Change::Edit* whiteout, change.add(std::move(row)));
  return change.put_name(rename.from_directory, rename.from_name, *whiteout);
}

Result<void> place_moved(ViewState& view, Change& change, Node& moved, Node& directory,
                         const Name& name) {
  SATCHEL_ASSIGN(const Change::Edit* edit, change.edit(moved));
  const auto others =
      edit->row.names == 1 ? ViewState::OtherNames::kNone : ViewState::OtherNames::kSome;
  return view.place_moved(change, moved, directory, name, others);
}

Result<void> replace(ViewState& view, Change& change, const Rename& rename, RenameMode mode,
                     const Caller& caller) {
  SATCHEL_ASSIGN(Change::Edit * from, change.edit(rename.from));
  if (rename.to != nullptr) {
    SATCHEL_TRY(view.remove_child(change, rename.to_directory, rename.to_name, *rename.to));
  }
  SATCHEL_TRY(change.drop_name(rename.from_directory, rename.from_name));
  SATCHEL_TRY(change.put_name(rename.to_directory, rename.to_name, *from));
  SATCHEL_TRY(move_subdirectory(change, rename.from_directory, rename.to_directory, rename.from,
                                rename.to_name));
  from->ctime = change.now();
  if (mode == RenameMode::kWhiteout) return leave_whiteout(view, change, rename, caller);
  return {};
}

Result<void> exchange(Change& change, const Rename& rename) {
  SATCHEL_ASSIGN(Change::Edit * from, change.edit(rename.from));
  SATCHEL_ASSIGN(Change::Edit * to, change.edit(*rename.to));
  SATCHEL_TRY(change.put_name(rename.to_directory, rename.to_name, *from));
  SATCHEL_TRY(change.put_name(rename.from_directory, rename.from_name, *to));
  SATCHEL_TRY(move_subdirectory(change, rename.from_directory, rename.to_directory, rename.from,
                                rename.to_name));
  SATCHEL_TRY(move_subdirectory(change, rename.to_directory, rename.from_directory, *rename.to,
                                rename.from_name));
  from->ctime = change.now();
  to->ctime = change.now();
  return {};
}

/// Memory follows: `node` stands there now.
void follow(ViewState& view, Node& node, Node& directory, const Name& name) {
  if (node.is_directory()) {
    view.table.move(node, directory, name.text());
  } else {
    view.table.note_place(node, directory, name.text());
  }
}

Result<void> rename_locked(ViewState& view, NodeId parent, const Name& name, NodeId new_parent,
                           const Name& new_name, RenameMode mode, const Caller& caller) {
  SATCHEL_ASSIGN(const NodeRef from_directory, view.require_directory(parent));
  SATCHEL_ASSIGN(const NodeRef to_directory, view.require_directory(new_parent));
  SATCHEL_ASSIGN(const auto from_child, view.find_child(*from_directory, name));
  if (!from_child) return errno_answer(ENOENT);
  SATCHEL_ASSIGN(const NodeRef from, view.node_of(*from_directory, name, *from_child));
  SATCHEL_ASSIGN(const auto to_child, view.find_child(*to_directory, new_name));
  NodeRef to;
  if (to_child) {
    SATCHEL_ASSIGN(to, view.node_of(*to_directory, new_name, *to_child));
  }
  // Two names of one inode, or one name twice: nothing to do, says POSIX.
  if (to.get() == from.get() && mode != RenameMode::kNoReplace) return {};
  const Rename rename{*from_directory, name, *from, *to_directory, new_name, to.get()};
  SATCHEL_TRY(check(view, rename, mode));

  Change change(view);
  SATCHEL_TRY(change.edit_names(*from_directory));
  SATCHEL_TRY(change.edit_names(*to_directory));
  if (mode == RenameMode::kExchange) {
    SATCHEL_TRY(exchange(change, rename));
  } else {
    SATCHEL_TRY(replace(view, change, rename, mode, caller));
  }
  SATCHEL_TRY(place_moved(view, change, *from, *to_directory, new_name));
  if (mode == RenameMode::kExchange) {
    SATCHEL_TRY(place_moved(view, change, *to, *from_directory, name));
  }
  SATCHEL_TRY(fault_point("upper.rename"));
  SATCHEL_TRY(change.commit());
  follow(view, *from, *to_directory, new_name);
  if (mode == RenameMode::kExchange) follow(view, *to, *from_directory, name);
  return {};
}

/// The file that takes another one's name here, if it may have bytes of its own.
Result<UpperId> find_replacing(ViewState& view, NodeId parent, const Name& name, NodeId new_parent,
                               const Name& new_name) {
  const std::shared_lock lock(view.names);
  SATCHEL_ASSIGN(const NodeRef to_directory, view.require_directory(new_parent));
  SATCHEL_ASSIGN(const auto to, view.find_child(*to_directory, new_name));
  if (!to || to->kind != store::Kind::kFile) return UpperId{0};
  SATCHEL_ASSIGN(const NodeRef from_directory, view.require_directory(parent));
  SATCHEL_ASSIGN(const auto from, view.find_child(*from_directory, name));
  if (!from || from->kind != store::Kind::kFile) return UpperId{0};
  return from->upper;
}

}  // namespace

Result<void> View::rename(NodeId parent, const Name& name, NodeId new_parent, const Name& new_name,
                          RenameMode mode, const Caller& caller) {
  SATCHEL_TRY(state_->require_writable());
  if (mode == RenameMode::kReplace) {
    // Without the lock, for it may take long. Names that change meanwhile are not looked at again.
    const auto replacing = find_replacing(*state_, parent, name, new_parent, new_name);
    if (replacing && *replacing != 0) state_->upper->start_writeback(*replacing);
  }
  Result<void> result;
  {
    const std::unique_lock lock(state_->names);
    result = rename_locked(*state_, parent, name, new_parent, new_name, mode, caller);
  }
  state_->settle();
  return result;
}

}  // namespace satchel::fs
