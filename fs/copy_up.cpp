// Copy-up: giving a base file its own bytes in the upper, before its first change.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "fs/change.h"
#include "fs/core_lending.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kSpillStepBytes = 1U << 20U;

/// Has entered the queue: keeps others from copying the same file up at the same time.
class CopyUpTurn {
 public:
  CopyUpTurn(CopyUpQueue& queue, NodeId node) : queue_(queue), node_(node) {}
  ~CopyUpTurn() { queue_.leave(node_); }
  CopyUpTurn(const CopyUpTurn&) = delete;
  CopyUpTurn& operator=(const CopyUpTurn&) = delete;

 private:
  CopyUpQueue& queue_;
  NodeId node_;
};

/// New bytes that no row refers to: they go again, unless a row does in the end.
class NewBytes {
 public:
  NewBytes(Upper& upper, UpperId id) : upper_(upper), id_(id) {}
  ~NewBytes() {
    // Whatever error led here counts; what cannot be removed is an orphan, found at open.
    if (!is_kept_) (void)upper_.remove_bytes(id_);
  }
  NewBytes(const NewBytes&) = delete;
  NewBytes& operator=(const NewBytes&) = delete;
  void keep() { is_kept_ = true; }

 private:
  Upper& upper_;
  UpperId id_;
  bool is_kept_ = false;
};

/// What a file holds now.
struct Holding {
  std::shared_ptr<Inode> inode;  ///< null: an entry of the base
  bool has_own_bytes = false;
  bool is_scratch = false;
  store::ContentId content;  ///< if it has no own bytes

  [[nodiscard]] bool is_still(const InodeRow& row) const {
    return row.content == content && row.is_scratch == is_scratch;
  }
};

Result<Holding> holding_of(ViewState& view, Node& node) {
  const std::shared_lock lock(view.names);
  if (node.kind != store::Kind::kFile) {
    return errno_answer(node.is_directory() ? EISDIR : EINVAL);
  }
  if (node.inode) {
    const auto& content = node.inode->row.content;
    return Holding{.inode = node.inode,
                   .has_own_bytes = !content,
                   .is_scratch = node.inode->row.is_scratch,
                   .content = content.value_or(store::ContentId{})};
  }
  SATCHEL_ASSIGN(const auto located, view.base_entry(node));
  const bool is_scratch = node.parent != nullptr && !node.is_linked &&
                          view.discards(*node.parent, Name::checked(node.name));
  return Holding{.inode = nullptr,
                 .has_own_bytes = false,
                 .is_scratch = is_scratch,
                 .content = located.entry.content};
}

/// Scratch memory has no room for it.
Result<void> copy_content_spilled(ViewState& view, const store::ContentId& content, UpperId id,
                                  int fd) {
  if (::ftruncate(fd, 0) != 0) return file_error({}, "free scratch memory");
  SATCHEL_ASSIGN(const auto spill, view.upper->spill(id, fd));
  std::vector<std::byte> buffer(kSpillStepBytes);
  for (std::uint64_t done = 0; done < content.size;) {
    SATCHEL_ASSIGN(const std::size_t count, view.context.contents.read(content, done, buffer));
    SATCHEL_ASSIGN(const std::size_t written, spill->write(done, std::span(buffer).first(count)));
    if (written < count || count == 0) return Error{.code = ENOSPC, .sat = Sat::kNoSpace};
    done += count;
  }
  return {};
}

/// Makes `fd` hold `content`, and both outlast a power cut: else an append to a base file could
/// cost what was in it before.
Result<void> copy_content(ViewState& view, const store::ContentId& content, UpperId id, int fd) {
  auto copied = view.context.contents.copy_to(content, fd);
  if (!copied && copied.error().code == ENOSPC && view.upper->is_scratch(id)) {
    copied = copy_content_spilled(view, content, id, fd);
  }
  SATCHEL_TRY(copied);
  SATCHEL_TRY(fsync_at_fault_point("upper.copy_up.fsync", fd));
  return view.upper->sync_bytes_folder(id);
}

/// Gives the new file of a base file its bytes; null if it has them all.
Result<std::shared_ptr<BlockMap>> fill_new(ViewState& view, const Holding& holding, UpperId id,
                                           int fd) {
  if (!holding.is_scratch && holding.content.size >= view.context.block_copy_bytes) {
    return view.share_blocks(holding.content, id, fd);
  }
  SATCHEL_TRY(copy_content(view, holding.content, id, fd));
  return std::shared_ptr<BlockMap>();
}

}  // namespace

// The row says "own bytes" before the first of them changes, and after they are all there: a crash
// leaves the file as it was, or copied, and in the worst case a file that no row refers to.
Result<std::shared_ptr<Inode>> ViewState::own_bytes(Node& asked, CopyUp what) {
  Node& node = asked.current();
  SATCHEL_TRY(copy_ups.enter(node.id));
  const CopyUpTurn turn(copy_ups, node.id);
  for (;;) {
    SATCHEL_ASSIGN(Holding holding, holding_of(*this, node));
    if (holding.has_own_bytes) return std::move(holding.inode);
    UpperId id = 0;
    if (holding.inode) {
      id = holding.inode->id;
    } else {
      SATCHEL_ASSIGN(id, upper->next_number());
    }
    const auto place = holding.is_scratch ? Upper::Place::kScratch : Upper::Place::kUpper;
    std::unique_lock lock(names, std::defer_lock);  // held until new bytes have gone again
    SATCHEL_ASSIGN(const UniqueFd fd, upper->create_bytes(id, place));
    NewBytes bytes(*upper, id);
    const bool copies = what == CopyUp::kContent && !holding.content.is_empty();
    std::shared_ptr<BlockMap> shared_blocks;
    if (copies) {
      const LongWork work;
      SATCHEL_ASSIGN(shared_blocks, fill_new(*this, holding, id, fd.get()));
    }
    lock.lock();
    if (node.inode != holding.inode || (node.inode && !holding.is_still(node.inode->row))) {
      continue;  // it changed, or was moved, while it was copied: look again
    }
    Change change(*this);
    if (!node.inode) change.number_next(id);
    SATCHEL_ASSIGN(Change::Edit * edit, change.edit(node));
    edit->row.content.reset();
    edit->row.is_scratch = holding.is_scratch;
    edit->size = copies ? holding.content.size : 0;
    if (shared_blocks) {
      Upper::put_block_map(change.batch(), id, *shared_blocks);
      change.after_commit([this, id, shared_blocks] { upper->add_block_map(id, shared_blocks); });
    }
    SATCHEL_TRY(fault_point("upper.copy_up"));
    SATCHEL_TRY(change.commit());
    bytes.keep();
    return node.inode;
  }
}

Result<std::shared_ptr<const UniqueFd>> ViewState::bytes_of(Inode& inode) const {
  const std::lock_guard lock(inode.live_mutex);
  if (auto open = inode.bytes.lock()) return open;
  SATCHEL_ASSIGN(UniqueFd fd, upper->open_bytes(inode.id, O_RDWR));
  auto opened = std::make_shared<const UniqueFd>(std::move(fd));
  inode.bytes = opened;
  return opened;
}

Result<ViewState::Bytes> ViewState::writable_bytes(FileHandle& handle) {
  {
    const std::lock_guard lock(handle.mutex);
    if (handle.inode && handle.bytes && !handle.inode->is_retired) {
      return Bytes{.inode = handle.inode, .fd = handle.bytes};
    }
  }
  SATCHEL_ASSIGN(auto inode, own_bytes(handle.node(), CopyUp::kContent));
  SATCHEL_ASSIGN(auto fd, bytes_of(*inode));
  const std::lock_guard lock(handle.mutex);
  handle.inode = inode;
  handle.bytes = fd;
  return Bytes{.inode = std::move(inode), .fd = std::move(fd)};
}

Result<ViewState::Readable> ViewState::readable_bytes(FileHandle& handle) {
  {
    const std::lock_guard lock(handle.mutex);
    if (handle.inode && handle.bytes && !handle.inode->is_retired) {
      return Readable{.own = {.inode = handle.inode, .fd = handle.bytes}, .content = {}};
    }
  }
  std::shared_ptr<Inode> inode;
  std::shared_ptr<const UniqueFd> fd;
  {
    const std::shared_lock lock(names);
    inode = handle.node().inode;
    if (!inode) return Readable{.own = {}, .content = handle.content};
    if (!inode->row.has_own_bytes()) return Readable{.own = {}, .content = *inode->row.content};
    // Before a base switch takes them away, or a new file gets their number.
    SATCHEL_ASSIGN(fd, bytes_of(*inode));
  }
  const std::lock_guard lock(handle.mutex);
  handle.inode = inode;
  handle.bytes = fd;
  return Readable{.own = {.inode = std::move(inode), .fd = std::move(fd)}, .content = {}};
}

void ViewState::note_write(Inode& inode, std::uint64_t end, const Timestamp& now) const {
  LiveFields& live = inode.row.live;
  live.size = std::max(live.size, end);
  live.mtime = now;
  live.ctime = now;
  live.data_generation = upper->generation();
  inode.is_dirty = true;
}

void ViewState::note_blocks(Inode& inode) const {
  if (const auto spill = upper ? upper->find_spill(inode.id) : nullptr) {
    inode.row.live.blocks = spill->blocks();
    return;
  }
  if (upper && upper->find_block_map(inode.id)) {
    // What it still shows will be its own one day.
    inode.row.live.blocks = (inode.row.live.size + kBlockBytes - 1) / kBlockBytes;
    return;
  }
  const auto open = inode.bytes.lock();
  struct stat found {};
  if (!open || ::fstat(open->get(), &found) != 0) return;
  inode.row.live.blocks = static_cast<std::uint64_t>(found.st_blocks);
}

}  // namespace satchel::fs
