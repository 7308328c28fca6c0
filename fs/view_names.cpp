// Names: finding, making, linking and removing them.

#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fault_point.h"
#include "fs/change.h"
#include "fs/posix_acl.h"
#include "fs/view_state.h"

namespace satchel::fs {

Result<NodeReply> View::lookup(NodeId parent, const Name& name) {
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef directory, state_->require_directory(parent));
  SATCHEL_ASSIGN(const auto child, state_->find_child(*directory, name));
  if (!child) return errno_answer(ENOENT);
  SATCHEL_ASSIGN(NodeRef node, state_->node_of(*directory, name, *child));
  return state_->reply_with(std::move(node), child->base ? &*child->base : nullptr);
}

void View::forget(NodeId node, std::uint64_t lookups) {
  const Lookups one{.node = node, .count = lookups};
  forget(std::span(&one, 1));
}

void View::forget(std::span<const Lookups> nodes) {
  std::vector<NodeRef> kept;
  for (const Lookups& lookups : nodes) {
    state_->table.forget(lookups.node, lookups.count);
    if (NodeRef node = state_->table.find(lookups.node)) {
      kept.push_back(std::move(node));
    } else {
      state_->forget_atime(lookups.node);
    }
  }
  state_->cool(std::move(kept));
  state_->settle();
  // What many small nodes took stays with the allocator otherwise.
  if (state_->table.has_shrunk()) (void)::malloc_trim(0);  // false: nothing to give back
}

policies::Action ViewState::action_of(Node& directory, const Name& name, store::Kind kind) {
  const std::uint64_t edition = context.router.edition();
  InodeTable::Route route = table.route(directory, edition);
  if (!route.directory) {
    route.directory = context.router.enter(path_of(directory));
    table.set_route(directory, edition, route);
  }
  return route.directory->action(name, kind);
}

// What else rules say matters to the snapshot, and to where bytes are.
Result<void> ViewState::check_rules(Node& directory, const Name& name, store::Kind kind) {
  if (action_of(directory, name, kind) != policies::Action::kDeny) return {};
  const RelativePath path = path_of(directory) / name;
  const policies::Decision decision = context.router.decide(path, kind);
  context.log.warn("denied by rule rule={}", decision.origin);
  context.log.debug("denied by rule path={}", path.absolute());
  return Error{.code = EPERM,
               .sat = Sat::kDenied,
               .message = "a redirect rule denies this path",
               .path = path.absolute()};
}

Result<void> ViewState::check_change(Node& node) {
  if (node.is_removed) return {};
  if (!watches.is_empty()) {
    const auto path = seen_path_of(node);
    if (path) watches.tell([&](ChangeWatch& watch) { watch.note_changed(*path, node.kind); });
  }
  if (node.parent != nullptr) {
    return check_rules(*node.parent, Name::checked(node.name), node.kind);
  }
  // A changed file may have several names: the one by which it was found last counts.
  const auto place = table.seen_place(node);
  const NodeRef directory = place ? table.find(place->first) : NodeRef();
  if (!directory || directory->is_removed) return {};
  return check_rules(*directory, Name::checked(place->second), node.kind);
}

Result<InodeRow> ViewState::new_row(Node& parent, store::Kind kind, mode_t mode,
                                    const Caller& caller, const Timestamp& now) {
  InodeRow row;
  std::uint16_t parent_mode = 0;
  store::Xattrs parent_xattrs;
  std::uint32_t parent_gid = 0;
  if (parent.inode) {
    parent_mode = parent.inode->row.mode;
    parent_gid = parent.inode->row.gid;
    parent_xattrs = parent.inode->row.xattrs;
  } else {
    SATCHEL_ASSIGN(const auto located, base_entry(parent));
    parent_mode = located.entry.attributes.mode;
    parent_gid = located.entry.attributes.gid;
    SATCHEL_ASSIGN(parent_xattrs, base->xattrs(located.entry));
  }
  row.kind = kind;
  context.random.fill(row.file_id.bytes);
  row.uid = caller.uid;
  row.gid = (parent_mode & S_ISGID) != 0 ? parent_gid : caller.gid;
  row.mode = static_cast<std::uint16_t>(mode & 07777);
  const auto inherited = parent_xattrs.find(std::string(kDefaultAclXattr));
  if (kind == store::Kind::kSymlink) {
    row.mode = 0777;
  } else if (inherited != parent_xattrs.end()) {
    SATCHEL_ASSIGN(Acl acl, decode_acl(inherited->second));
    InheritedAcl own = inherit_acl(std::move(acl), row.mode);
    row.mode = own.mode;
    if (own.access) row.xattrs[std::string(kAccessAclXattr)] = encode_acl(*own.access);
    if (kind == store::Kind::kDirectory) row.xattrs.insert(*inherited);
  } else {
    row.mode = static_cast<std::uint16_t>(row.mode & ~caller.umask);
  }
  row.btime = now;
  row.live = {.atime = now, .mtime = now, .ctime = now, .data_generation = upper->generation()};
  if (kind == store::Kind::kFile) row.content = store::ContentId{};
  if (kind == store::Kind::kDirectory) {
    if ((parent_mode & S_ISGID) != 0) row.mode = static_cast<std::uint16_t>(row.mode | S_ISGID);
    row.live.size = kDirectoryBytes;
    row.live.blocks = kDirectoryBytes / kBlockBytes;
  }
  return row;
}

Result<ViewState::Added> ViewState::add_child(Node& parent, const Name& name, InodeRow row) {
  const store::Kind kind = row.kind;
  const bool has_bytes = row.has_own_bytes();
  const auto place = row.is_scratch ? Upper::Place::kScratch : Upper::Place::kUpper;
  Change change(*this);
  SATCHEL_ASSIGN(Change::Edit * directory, change.edit_names(parent));
  if (kind == store::Kind::kDirectory) {
    row.parent = directory->inode->id;
    row.name = name.text();
    ++directory->row.subdirectories;
  }
  SATCHEL_ASSIGN(Change::Edit * added, change.add(std::move(row)));
  SATCHEL_TRY(change.put_name(parent, name, *added));
  const std::shared_ptr<Inode> inode = added->inode;
  std::shared_ptr<const UniqueFd> file;
  if (has_bytes) {
    SATCHEL_ASSIGN(UniqueFd created, upper->create_bytes(inode->id, place, O_RDONLY));
    file = std::make_shared<const UniqueFd>(std::move(created));
  }
  SATCHEL_TRY(fault_point("upper.create"));
  if (auto committed = change.commit(); !committed) {
    if (has_bytes) (void)upper->remove_bytes(inode->id);  // else it is an orphan: found at open
    return std::move(committed).error();
  }
  return Added{.node = table.for_upper(inode, &parent, name.text()), .file = std::move(file)};
}

Result<NodeReply> ViewState::make_child(NodeId parent, const Name& name, store::Kind kind,
                                        mode_t mode, const Caller& caller,
                                        const std::function<void(InodeRow&)>& complete) {
  SATCHEL_TRY(require_writable());
  const std::unique_lock lock(names);
  SATCHEL_ASSIGN(const NodeRef directory, require_directory(parent));
  if (directory->is_removed) return errno_answer(ENOENT);
  SATCHEL_ASSIGN(const auto existing, find_child(*directory, name));
  if (existing) return errno_answer(EEXIST);
  SATCHEL_TRY(check_rules(*directory, name, kind));
  SATCHEL_ASSIGN(InodeRow row, new_row(*directory, kind, mode, caller, context.clock.now()));
  if (complete) complete(row);
  row.is_scratch = kind == store::Kind::kFile && discards(*directory, name);
  SATCHEL_ASSIGN(Added added, add_child(*directory, name, std::move(row)));
  return reply_with(std::move(added.node));
}

Result<NodeReply> View::make_node(NodeId parent, const Name& name, mode_t mode, dev_t rdev,
                                  const Caller& caller) {
  SATCHEL_ASSIGN(const store::Kind kind,
                 known_kind((mode & S_IFMT) == 0 ? mode | S_IFREG : mode));  // mknod(2)
  if (kind == store::Kind::kDirectory || kind == store::Kind::kSymlink) return errno_answer(EPERM);
  return state_->make_child(parent, name, kind, mode, caller, [&](InodeRow& row) {
    if (kind == store::Kind::kCharDevice || kind == store::Kind::kBlockDevice) {
      row.device = {.major = ::major(rdev), .minor = ::minor(rdev)};
    }
  });
}

Result<NodeReply> View::make_directory(NodeId parent, const Name& name, mode_t mode,
                                       const Caller& caller) {
  return state_->make_child(parent, name, store::Kind::kDirectory, mode, caller, {});
}

Result<NodeReply> View::make_symlink(NodeId parent, const Name& name, std::string_view target,
                                     const Caller& caller) {
  constexpr std::size_t kTargetBytesMax = 4095;
  if (target.empty()) return errno_answer(ENOENT);
  if (target.size() > kTargetBytesMax) return errno_answer(ENAMETOOLONG);
  return state_->make_child(parent, name, store::Kind::kSymlink, 0777, caller, [&](InodeRow& row) {
    row.target = target;
    row.live.size = target.size();
  });
}

Result<NodeReply> View::link(NodeId id, NodeId new_parent, const Name& new_name) {
  SATCHEL_TRY(state_->require_writable());
  const std::unique_lock lock(state_->names);
  SATCHEL_ASSIGN(NodeRef node, state_->require(id));
  if (node->is_outdated) return errno_answer(ESTALE);  // the kernel looks the name up again
  SATCHEL_ASSIGN(const NodeRef directory, state_->require_directory(new_parent));
  if (directory->is_removed) return errno_answer(ENOENT);
  SATCHEL_ASSIGN(const auto existing, state_->find_child(*directory, new_name));
  if (existing) return errno_answer(EEXIST);
  if (node->is_directory()) return errno_answer(EPERM);
  SATCHEL_TRY(state_->check_rules(*directory, new_name, node->kind));
  Change change(*state_);
  SATCHEL_ASSIGN(Change::Edit * edit, change.edit(*node));
  if (!edit->is_stored) {
    if (!edit->inode->is_linkable) return errno_answer(ENOENT);
    edit->is_stored = true;  // O_TMPFILE gets its first name
  }
  if (edit->row.names >= kNamesMax) return errno_answer(EMLINK);
  const auto others =
      edit->row.names == 0 ? ViewState::OtherNames::kNone : ViewState::OtherNames::kSome;
  SATCHEL_TRY(state_->place_moved(change, *node, *directory, new_name, others));
  ++edit->row.names;
  edit->ctime = change.now();
  SATCHEL_TRY(change.edit_names(*directory));
  SATCHEL_TRY(change.put_name(*directory, new_name, *edit));
  SATCHEL_TRY(change.commit());
  node->inode->is_linkable = false;
  state_->table.note_place(*node, *directory, new_name.text());
  return state_->reply_with(std::move(node));
}

// Takes one name from `child`, and with the last one the row. `directory`'s times are the caller's.
Result<void> ViewState::remove_child(Change& change, Node& directory, const Name& name,
                                     Node& child) {
  Change::Edit* edit = nullptr;
  if (!child.inode && !child.is_linked) {
    SATCHEL_ASSIGN(edit, change.add_removed(child));
    edit->row.base_path.reset();
  } else {
    SATCHEL_ASSIGN(edit, change.edit(child));
    --edit->row.names;
    edit->ctime = change.now();
    if (child.is_directory()) edit->row.names = 0;
    if (edit->row.names == 0) SATCHEL_TRY(change.remove(*edit));
  }
  SATCHEL_TRY(change.drop_name(directory, name));
  if (child.is_directory()) {
    SATCHEL_ASSIGN(Change::Edit * parent, change.edit(directory));
    --parent->row.subdirectories;
  }
  if (edit->row.names == 0) {
    change.after_commit([this, &child] { table.mark_removed(child); });
  }
  return {};
}

namespace {

/// unlink(2) and rmdir(2): what differs is which kind they refuse.
Result<void> remove_name(ViewState& state, NodeId parent, const Name& name, bool is_directory) {
  SATCHEL_TRY(state.require_writable());
  const std::unique_lock lock(state.names);
  SATCHEL_ASSIGN(const NodeRef directory, state.require_directory(parent));
  SATCHEL_ASSIGN(const auto child, state.find_child(*directory, name));
  if (!child) return errno_answer(ENOENT);
  SATCHEL_TRY(state.check_rules(*directory, name, child->kind));
  SATCHEL_ASSIGN(const NodeRef node, state.node_of(*directory, name, *child));
  if (node->is_directory() != is_directory) return errno_answer(is_directory ? ENOTDIR : EISDIR);
  if (is_directory) {
    SATCHEL_ASSIGN(const bool is_empty, state.is_empty(*node));
    if (!is_empty) return errno_answer(ENOTEMPTY);
  }
  Change change(state);
  SATCHEL_TRY(change.edit_names(*directory));
  SATCHEL_TRY(state.remove_child(change, *directory, name, *node));
  return change.commit();
}

}  // namespace

Result<void> View::unlink(NodeId parent, const Name& name) {
  auto result = remove_name(*state_, parent, name, /*is_directory=*/false);
  state_->settle();
  return result;
}

Result<void> View::remove_directory(NodeId parent, const Name& name) {
  auto result = remove_name(*state_, parent, name, /*is_directory=*/true);
  state_->settle();
  return result;
}

}  // namespace satchel::fs
