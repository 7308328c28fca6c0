// What an inode's attributes are, and how they change.

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "fs/change.h"
#include "fs/posix_acl.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::int64_t kRelatimeSeconds = std::int64_t{24} * 60 * 60;

/// When relatime writes a new access time.
bool is_atime_due(const Timestamp& atime, const Timestamp& mtime, const Timestamp& ctime,
                  const Timestamp& now) {
  return atime <= mtime || atime <= ctime || now.seconds - atime.seconds >= kRelatimeSeconds;
}

/// As chown(2) and write(2) do: sgid means "mandatory locking" on a file that no group may execute.
std::uint16_t without_privileges(std::uint16_t mode) {
  mode = static_cast<std::uint16_t>(mode & ~unsigned{S_ISUID});
  if ((mode & S_IXGRP) != 0) mode = static_cast<std::uint16_t>(mode & ~unsigned{S_ISGID});
  return mode;
}

}  // namespace

NodeStat ViewState::stat_of_inode(Inode& inode) const {
  const InodeRow& row = inode.row;
  NodeStat stat{.ino = store::inode_number(row.file_id),
                .mode = store::type_bits(row.kind) | row.mode,
                .nlink = row.names,
                .uid = row.uid,
                .gid = row.gid,
                .rdev = ::makedev(row.device.major, row.device.minor),
                .atime = {},
                .mtime = {},
                .ctime = {}};
  if (row.kind == store::Kind::kDirectory && row.names > 0) {
    stat.nlink = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(row.subdirectories + 2, std::numeric_limits<std::uint32_t>::max()));
  }
  const std::lock_guard lock(inode.live_mutex);
  if (row.has_own_bytes()) note_blocks(inode);
  catch_up(inode);
  stat.size = row.live.size;
  stat.blocks = row.live.blocks;
  stat.atime = row.live.atime;
  stat.mtime = row.live.mtime;
  stat.ctime = row.live.ctime;
  stat.may_change_unseen = inode.is_hot;
  return stat;
}

NodeStat ViewState::stat_of_entry(NodeId id, const store::LocatedEntry& located,
                                  std::uint32_t link_names) {
  const store::Entry& entry = located.entry;
  const LiveFields live = live_fields_of(entry);
  NodeStat stat{.ino = store::inode_number(located.file_id),
                .mode = store::type_bits(entry.kind) | entry.attributes.mode,
                .nlink = link_names,
                .uid = entry.attributes.uid,
                .gid = entry.attributes.gid,
                .rdev = ::makedev(entry.device.major, entry.device.minor),
                .size = live.size,
                .blocks = live.blocks,
                .atime = live.atime,
                .mtime = live.mtime,
                .ctime = live.ctime};
  if (entry.is_directory()) {
    stat.nlink = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        entry.directory.subdirectories + 2, std::numeric_limits<std::uint32_t>::max()));
  }
  const std::lock_guard lock(atimes_mutex);
  const auto atime = atimes.find(id);
  if (atime != atimes.end()) stat.atime = atime->second;
  return stat;
}

Result<NodeStat> ViewState::stat_of(Node& node) {
  if (node.inode) return stat_of_inode(*node.inode);
  SATCHEL_ASSIGN(const auto located, base_entry(node));
  return stat_of_base(node, located);
}

Result<NodeStat> ViewState::stat_of_base(const Node& node, const store::LocatedEntry& located) {
  std::uint32_t link_names = 1;
  if (located.entry.linked) {
    SATCHEL_ASSIGN(link_names, visible_links(located.file_id));
  }
  return stat_of_entry(node.id, located, link_names);
}

Result<NodeReply> ViewState::reply_with(NodeRef node, const store::LocatedEntry* located) {
  const bool is_known = located != nullptr && !node->inode;
  SATCHEL_ASSIGN(const NodeStat stat, is_known ? stat_of_base(*node, *located) : stat_of(*node));
  table.add_lookup(*node);
  return NodeReply{.node = node->id, .stat = stat};
}

void ViewState::touch_atime(Node& node, Inode* inode) {
  const Timestamp now = context.clock.now();
  if (inode != nullptr) {
    const std::lock_guard lock(inode->live_mutex);
    LiveFields& live = inode->row.live;
    if (!is_atime_due(live.atime, live.mtime, live.ctime, now)) return;
    live.atime = now;
    if (inode->is_stored) inode->is_dirty = true;
    return;
  }
  // A base entry's access time was its mtime until somebody read it on this device.
  const std::lock_guard lock(atimes_mutex);
  const auto [found, is_first] = atimes.try_emplace(node.id, now);
  if (!is_first && now.seconds - found->second.seconds >= kRelatimeSeconds) found->second = now;
}

void ViewState::forget_atime(NodeId id) {
  const std::lock_guard lock(atimes_mutex);
  atimes.erase(id);
}

Result<NodeStat> View::get_attributes(NodeId id) {
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef node, state_->require(id));
  SATCHEL_ASSIGN(NodeStat stat, state_->stat_of(*node));
  // The kernel knows another node by that name, and tells this one nothing of changes there.
  if (node->id != id) stat.may_change_unseen = true;
  return stat;
}

Result<std::string> View::read_link(NodeId id) {
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef node, state_->require(id));
  if (node->kind != store::Kind::kSymlink) return errno_answer(EINVAL);
  state_->touch_atime(*node, node->inode.get());
  if (node->inode) return node->inode->row.target;
  SATCHEL_ASSIGN(const auto located, state_->base_entry(*node));
  return located.entry.target;
}

Result<NodeStat> View::set_attributes(NodeId id, std::optional<HandleId> handle,
                                      const AttributeChange& change, const Caller& /*caller*/) {
  SATCHEL_TRY(state_->require_writable());
  NodeRef node;
  {
    const std::shared_lock lock(state_->names);
    if (handle) {
      // A file without a name has no other way to it.
      SATCHEL_ASSIGN(const auto file, state_->handles.file(*handle));
      node = state_->table.pin(file->node());
    } else {
      SATCHEL_ASSIGN(node, state_->require(id));
      // Nobody would see it: the kernel looks the name up again.
      if (node->is_outdated) return errno_answer(ESTALE);
    }
    SATCHEL_TRY(state_->check_change(*node));
  }
  if (change.size) SATCHEL_TRY(state_->truncate(*node, *change.size, change.kill_suid));

  const std::unique_lock lock(state_->names);
  const bool has_more = change.mode || change.uid || change.gid || change.atime || change.mtime ||
                        change.atime_now || change.mtime_now;
  const bool is_chown = change.uid || change.gid || (change.kill_suid && !change.size && !has_more);
  if (has_more || is_chown) {
    Change row_change(*state_);
    SATCHEL_ASSIGN(Change::Edit * edit, row_change.edit(*node));
    InodeRow& row = edit->row;
    row.own_attributes = true;
    if (change.mode) {
      row.mode = static_cast<std::uint16_t>(*change.mode & 07777);
      apply_mode_to_acl(row.mode, row.xattrs);
    }
    if (change.uid) row.uid = *change.uid;
    if (change.gid) row.gid = *change.gid;
    if (is_chown && row.kind != store::Kind::kDirectory) {
      if (change.kill_suid) row.mode = without_privileges(row.mode);
      row.xattrs.erase(std::string(kCapabilityXattr));
    }
    if (change.atime_now || change.atime) {
      edit->atime = change.atime_now ? row_change.now() : *change.atime;
    }
    if (change.mtime_now || change.mtime) {
      edit->mtime = change.mtime_now ? row_change.now() : *change.mtime;
    }
    edit->ctime = row_change.now();
    SATCHEL_TRY(row_change.commit());
  }
  SATCHEL_ASSIGN(NodeStat stat, state_->stat_of(*node));
  if (node->id != id) stat.may_change_unseen = true;  // as in get_attributes()
  return stat;
}

Result<void> ViewState::kill_privileges(Node& node, bool kill_suid) {
  {
    const std::shared_lock lock(names);
    if (!node.inode) return {};
    const InodeRow& row = node.inode->row;
    const bool has_capability = row.xattrs.contains(std::string(kCapabilityXattr));
    const bool has_suid = kill_suid && without_privileges(row.mode) != row.mode;
    if (!has_capability && !has_suid) return {};
  }
  const std::unique_lock lock(names);
  Change change(*this);
  SATCHEL_ASSIGN(Change::Edit * edit, change.edit(node));
  if (kill_suid) edit->row.mode = without_privileges(edit->row.mode);
  edit->row.xattrs.erase(std::string(kCapabilityXattr));
  return change.commit();
}

}  // namespace satchel::fs
