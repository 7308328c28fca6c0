// Opening, making and closing files: which bytes an open file uses, and whether the kernel may use
// them by itself.

#include <fcntl.h>

#include <utility>

#include "base/fault_point.h"
#include "fs/change.h"
#include "fs/content_fetch.h"
#include "fs/core_lending.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

bool needs_bytes(int flags) {
  return (flags & O_TRUNC) != 0 && (flags & O_ACCMODE) != O_RDONLY;
}

/// What an open file of a node reads and writes.
struct OpenBytes {
  std::shared_ptr<Inode> inode;  ///< null: an entry of the base
  bool are_own = false;
  bool are_scratch = false;
  bool are_partial = false;  ///< a block copy
  store::ContentId content;  ///< if they are not its own
  friend bool operator==(const OpenBytes&, const OpenBytes&) = default;
};

Result<OpenBytes> bytes_to_open(ViewState& view, Node& node) {
  if (node.kind != store::Kind::kFile) {
    return errno_answer(node.is_directory() ? EISDIR : ENXIO);
  }
  if (!node.inode) {
    SATCHEL_ASSIGN(const store::ContentId content, view.base_content(node));
    return OpenBytes{.inode = nullptr, .content = content};
  }
  const InodeRow& row = node.inode->row;
  return OpenBytes{.inode = node.inode,
                   .are_own = row.has_own_bytes(),
                   .are_scratch = row.is_scratch,
                   .are_partial = view.upper->find_block_map(node.inode->id) != nullptr,
                   .content = row.content.value_or(store::ContentId{})};
}

/// Smaller contents of the base come by requests and stay in the kernel's cache: a read or two
/// then, against a registration and a look at the times at each open.
constexpr std::uint64_t kPassedContentBytesMin = 64U << 10U;

/// One open(2). What takes long (a content may have to be hashed, or copied up) is done without
/// locks, and counts only if nothing has changed when it is over.
class Opening {
 public:
  Opening(ViewState& view, NodeId id, int flags)
      : view_(view), id_(id), handle_(std::make_shared<FileHandle>()) {
    handle_->flags = flags;
  }

  /// `is_known`: the kernel has been told of the node, and remembers its attributes.
  Result<OpenReply> run(bool is_known) {
    for (;;) {
      auto outcome = Outcome::kUnprepared;
      {
        const std::shared_lock lock(view_.names);
        SATCHEL_ASSIGN(outcome, open_if_prepared());
      }
      if (outcome == Outcome::kOpen) break;
      if (outcome == Outcome::kElsewhere) {
        SATCHEL_TRY(view_.replace_node(id_));
        return errno_answer(ESTALE);
      }
      SATCHEL_TRY(prepare());
    }
    if (is_newly_hot_ && is_known) {
      if (KernelNotifier* const notifier = view_.notifier.load()) notifier->forget_attributes(id_);
    }
    return reply_;
  }

  /// The node has been made with `file` since `names` is held, exclusively: there is nothing to
  /// prepare.
  Result<OpenReply> run_new(std::shared_ptr<const UniqueFd> file) {
    own_file_ = std::move(file);
    SATCHEL_ASSIGN(const Outcome outcome, open_if_prepared());
    SATCHEL_ASSERT(outcome == Outcome::kOpen);
    return reply_;
  }

 private:
  enum class Outcome : std::uint8_t {
    kOpen,
    kUnprepared,  ///< `bytes_` are new
    kElsewhere,   ///< the kernel uses other bytes for this node
  };

  Result<NodeRef> find_node() {
    SATCHEL_ASSIGN(NodeRef node, view_.require(id_));
    // Another node answers for it, or has its names: the kernel has to look the name up again.
    if (node->id != id_ || node->is_outdated) return errno_answer(ESTALE);
    return node;
  }

  /// Something is to be done for `bytes_` before they are opened.
  [[nodiscard]] bool needs_preparation() const {
    if (bytes_->are_own || !view_.modes.passes() || view_.modes.is_served(id_)) return false;
    return handle_->is_writable() || bytes_->content.size >= kPassedContentBytesMin;
  }

  Result<void> prepare() {
    const std::uint64_t size = bytes_->content.size;
    SATCHEL_ASSIGN(content_file_, view_.context.contents.find_file(bytes_->content));
    if (!handle_->is_writable()) return {};
    // The kernel does not say when it writes first, so the copy is made now; unless the content has
    // to be fetched for it, which the first write may never ask for.
    const bool is_here = content_file_ || size <= kSmallContentBytes ||
                         size >= view_.context.block_copy_bytes;  // nothing is fetched
    // What the kernel reads by itself cannot be written by requests beside that.
    if (!is_here && !view_.modes.is_passed(id_)) return {};
    SATCHEL_TRY(view_.own_bytes(*node_, ViewState::CopyUp::kContent));
    return {};
  }

  /// The bytes that the kernel may use by itself.
  [[nodiscard]] std::optional<BackingSource> source() const {
    if (bytes_->are_own) {
      // They may move, or stand in two places.
      if (bytes_->are_scratch || bytes_->are_partial) return std::nullopt;
      return bytes_->inode->id;
    }
    // Before the first write the node of a passed content is replaced, and an NFS handle with it.
    const bool is_exported = view_.context.nodes != nullptr;
    if (handle_->is_writable() || is_exported) return std::nullopt;
    return bytes_->content;
  }

  /// Null: they are not here, or too few for it to pay.
  Result<std::shared_ptr<const UniqueFd>> file_to_register() {
    if (!bytes_->are_own) return content_file_;
    if (own_file_) return own_file_;
    // A descriptor that counts as no writer (view_hot.cpp).
    const int access = handle_->is_writable() ? O_RDONLY | O_NOATIME : O_PATH;
    SATCHEL_ASSIGN(auto fd, view_.upper->open_bytes(bytes_->inode->id, access));
    auto file = std::make_shared<const UniqueFd>(std::move(fd));
    if (handle_->is_writable()) own_file_ = file;
    return file;
  }

  /// `names` is held.
  Result<Outcome> open_if_prepared() {
    SATCHEL_ASSIGN(node_, find_node());
    SATCHEL_ASSIGN(OpenBytes now, bytes_to_open(view_, *node_));
    if (bytes_ != now) {
      bytes_ = std::move(now);
      content_file_.reset();
      if (needs_preparation()) return Outcome::kUnprepared;
    }
    if (handle_->is_writable()) SATCHEL_TRY(fault_point("upper.open_for_writing"));
    SATCHEL_ASSIGN(const OpenModes::Mode mode,
                   view_.modes.open(id_, source(), [this] { return file_to_register(); }));
    if (mode.way == OpenModes::Way::kElsewhere) return Outcome::kElsewhere;
    note_open(*node_, mode);
    handle_->content = bytes_->content;
    handle_->opened = std::move(node_);
    reply_.handle = view_.handles.add(handle_);
    return Outcome::kOpen;
  }

  void note_open(Node& node, const OpenModes::Mode& mode) {
    if (mode.way == OpenModes::Way::kServed) {
      reply_.keep_cache = !bytes_->inode || !bytes_->inode->was_hot;
      return;
    }
    reply_.backing = mode.backing;
    if (handle_->is_writable()) {
      is_newly_hot_ = view_.heat(node, std::move(own_file_));
      handle_->heated = node.inode;
    } else if ((handle_->flags & O_NOATIME) == 0) {
      // When it reads is not seen, so to open is to read.
      view_.touch_atime(node, node.inode.get());
    }
  }

  ViewState& view_;
  NodeId id_;
  std::shared_ptr<FileHandle> handle_;
  NodeRef node_;
  std::optional<OpenBytes> bytes_;  // as last seen; prepared, if they are seen again
  std::shared_ptr<const UniqueFd> content_file_;
  std::shared_ptr<const UniqueFd> own_file_;  ///< of own bytes, open for reading alone
  bool is_newly_hot_ = false;
  OpenReply reply_;
};

}  // namespace

void ViewState::keep_rewritten(FileHandle& handle) {
  std::shared_ptr<Inode> inode = handle.heated;
  if (!inode) {
    const std::lock_guard lock(handle.mutex);
    inode = handle.inode;
  }
  if (!inode) return;  // nothing was written
  {
    const std::lock_guard lock(inode->live_mutex);
    if (!std::exchange(inode->was_emptied, false)) return;
  }
  upper->start_writeback(inode->id);
}

Result<OpenReply> ViewState::open_node(NodeId id, int flags, bool is_known) {
  if (needs_bytes(flags)) {
    NodeRef node;
    {
      const std::shared_lock lock(names);
      SATCHEL_ASSIGN(node, require(id));
    }
    SATCHEL_TRY(truncate(*node, 0, /*kill_suid=*/true));
  }
  return Opening(*this, id, flags).run(is_known);
}

Result<OpenReply> ViewState::open_added(const Added& added, int flags) {
  return Opening(*this, added.node->id, flags).run_new(added.file);
}

Result<void> ViewState::replace_node(NodeId id) {
  {
    const std::unique_lock lock(names);
    SATCHEL_ASSIGN(const NodeRef node, require(id));
    if (node->id != id) return {};  // another thread was faster
    if (!node->inode) return {};    // it is the base's again: the next try finds it so
    table.supersede(*node);
  }
  if (KernelNotifier* const to = notifier.load()) to->forget_attributes(id);
  return {};
}

Result<OpenReply> View::open_file(NodeId id, int flags) {
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0) {
    SATCHEL_TRY(state_->require_writable());
    const std::shared_lock lock(state_->names);
    SATCHEL_ASSIGN(const NodeRef node, state_->require(id));
    if (node->is_outdated) return errno_answer(ESTALE);
    SATCHEL_TRY(state_->check_change(*node));
  }
  SATCHEL_ASSIGN(auto opened, state_->open_node(id, flags));
  SATCHEL_TRY(sync_opened(opened.handle, flags));
  return opened;
}

// Of bytes that the kernel writes by itself it keeps the promise of O_SYNC by itself, but what
// leads to them is ours to make durable.
Result<void> View::sync_opened(HandleId opened, int flags) {
  if ((flags & O_DSYNC) == 0 || (flags & O_ACCMODE) == O_RDONLY) return {};
  auto synced = sync_file(opened, /*data_only=*/false);
  if (!synced) release(opened);
  return synced;
}

Result<View::Created> View::create(NodeId parent, const Name& name, mode_t mode, int flags,
                                   const Caller& caller) {
  SATCHEL_TRY(state_->require_writable());
  ViewState::Added added;
  Created created;
  Result<OpenReply> opened = OpenReply{};
  bool is_new = false;
  {
    const std::unique_lock lock(state_->names);
    SATCHEL_ASSIGN(const NodeRef directory, state_->require_directory(parent));
    if (directory->is_removed) return errno_answer(ENOENT);
    SATCHEL_ASSIGN(const auto existing, state_->find_child(*directory, name));
    if (existing && (flags & O_EXCL) != 0) return errno_answer(EEXIST);
    if (existing) {
      // Somebody was faster, and without O_EXCL that is as good.
      SATCHEL_ASSIGN(added.node, state_->node_of(*directory, name, *existing));
    } else {
      SATCHEL_TRY(state_->check_rules(*directory, name, store::Kind::kFile));
      SATCHEL_ASSIGN(InodeRow row, state_->new_row(*directory, store::Kind::kFile, mode, caller,
                                                   state_->context.clock.now()));
      if ((flags & O_ACCMODE) != O_RDONLY) row.content.reset();  // written to at once, most often
      row.is_scratch = state_->discards(*directory, name);
      SATCHEL_ASSIGN(added, state_->add_child(*directory, name, std::move(row)));
      is_new = true;
    }
    SATCHEL_ASSIGN(created.node, state_->reply_with(state_->table.pin(*added.node)));
    if (is_new) opened = state_->open_added(added, flags & ~O_TRUNC);
  }
  if (!is_new) opened = state_->open_node(created.node.node, flags);
  if (opened) {
    if (auto synced = sync_opened(opened->handle, flags); !synced) {
      opened = std::move(synced).error();
    }
  }
  if (!opened) {
    forget(created.node.node, 1);
    return std::move(opened).error();
  }
  created.open = *opened;
  // Whatever gives a new file its first bytes, the kernel knows of: only later stores through a
  // mapping escape it, and what it knows then is not remembered.
  created.node.stat.may_change_unseen = !is_new && opened->backing.has_value();
  return created;
}

Result<View::Created> View::create_unnamed(NodeId parent, mode_t mode, int flags,
                                           const Caller& caller) {
  SATCHEL_TRY(state_->require_writable());
  NodeRef node;
  Created created;
  {
    const std::unique_lock lock(state_->names);
    SATCHEL_ASSIGN(const NodeRef directory, state_->require_directory(parent));
    if (directory->is_removed) return errno_answer(EPERM);  // no ENOENT: as on ext4
    SATCHEL_ASSIGN(InodeRow row, state_->new_row(*directory, store::Kind::kFile, mode, caller,
                                                 state_->context.clock.now()));
    row.names = 0;
    // It has no name, so it is discarded where any name would be.
    row.is_scratch = state_->discards(*directory, Name::checked("tmpfile"));
    Change change(*state_);
    SATCHEL_ASSIGN(const Change::Edit* added, change.add(std::move(row), /*is_stored=*/false));
    const std::shared_ptr<Inode> inode = added->inode;
    SATCHEL_TRY(change.commit());
    inode->is_linkable = (flags & O_EXCL) == 0;
    node = state_->table.for_upper(inode, nullptr, {});
    SATCHEL_ASSIGN(created.node, state_->reply_with(state_->table.pin(*node)));
  }
  auto opened =
      state_->open_node(created.node.node, flags & ~(O_TRUNC | O_EXCL), /*is_known=*/false);
  if (!opened) {
    forget(created.node.node, 1);
    return std::move(opened).error();
  }
  created.open = *opened;
  return created;
}

void View::release(HandleId id) {
  {
    const auto handle = state_->handles.remove_file(id);
    if (!handle) return;
    if (handle->is_writable()) state_->keep_rewritten(*handle);
    state_->modes.close(handle->opened->id);
    const std::lock_guard lock(handle->mutex);
    if (handle->inode) {
      const std::lock_guard live_lock(handle->inode->live_mutex);
      state_->note_blocks(*handle->inode);
      // Whoever closes an unlinked file last frees its blocks.
      if (handle->inode->row.live.blocks > kLongWorkBlocks) keep_core();
    }
    handle->bytes.reset();  // a descriptor that writes keeps a file hot
    if (handle->heated) state_->release_writer(*handle->heated);
  }
  state_->settle();
}

}  // namespace satchel::fs
