// Open files as the daemon serves them: reading, writing, and making it last.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "fs/change.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kCopyStepBytes = 1U << 20U;
/// copy_file_range(2) may return early: so a copy of any length never holds others up for long.
constexpr std::size_t kCopyRangeBytesMax = 64U << 20U;

}  // namespace

Result<std::size_t> View::read(HandleId id, std::uint64_t offset, std::span<std::byte> out) {
  SATCHEL_ASSIGN(const auto handle, state_->handles.file(id));
  if (!handle->is_readable()) return errno_answer(EBADF);
  SATCHEL_ASSIGN(const auto readable, state_->readable_bytes(*handle));
  if ((handle->flags & O_NOATIME) == 0 && !out.empty()) {
    const std::shared_lock lock(state_->names);
    state_->touch_atime(handle->node(), handle->node().inode.get());
  }
  return state_->read_range(readable, offset, out);
}

Result<std::size_t> View::write(HandleId id, std::uint64_t offset, Bytes bytes, bool append,
                                bool kill_suid) {
  SATCHEL_ASSIGN(const auto handle, state_->handles.file(id));
  if (!handle->is_writable()) return errno_answer(EBADF);
  if (bytes.empty()) return std::size_t{0};
  SATCHEL_ASSIGN(const auto own, state_->writable_bytes(*handle));
  SATCHEL_TRY(state_->kill_privileges(handle->node(), kill_suid));
  ViewState::WriteRange range{.offset = offset, .length = bytes.size(), .is_append = append};
  SATCHEL_ASSIGN(const auto turn, state_->take_turn_to_write(own, range));
  SATCHEL_TRY(fault_point("upper.write"));
  SATCHEL_ASSIGN(const std::size_t written, state_->write_bytes(own, range.offset, bytes));
  const Timestamp now = state_->context.clock.now();
  const std::lock_guard live_lock(own.inode->live_mutex);
  state_->note_write(*own.inode, range.offset + written, now);
  return written;
}

Result<void> ViewState::truncate(Node& asked, std::uint64_t size, bool kill_suid) {
  if (size > kOffsetMax) return errno_answer(EFBIG);
  for (;;) {
    Node& node = asked.current();
    SATCHEL_ASSIGN(const auto inode,
                   own_bytes(node, size == 0 ? CopyUp::kNothing : CopyUp::kContent));
    SATCHEL_TRY(kill_privileges(node, kill_suid));
    // Without a writable handle nothing else keeps a base switch from taking the bytes over.
    const std::shared_lock lock(names);
    if (inode->is_retired || node.inode != inode) continue;
    SATCHEL_ASSIGN(const auto fd, bytes_of(*inode));
    const WriteTurn turn = take_turn(*inode);
    SATCHEL_TRY(resize_bytes({.inode = inode, .fd = fd}, size));
    const Timestamp now = context.clock.now();
    const std::lock_guard live_lock(inode->live_mutex);
    note_write(*inode, 0, now);
    inode->row.live.size = size;
    if (size == 0) inode->was_emptied = true;
    note_blocks(*inode);
    return {};
  }
}

Result<void> View::sync_file(HandleId id, bool data_only) {
  SATCHEL_ASSIGN(const auto handle, state_->handles.file(id));
  if (!state_->upper) return {};
  std::shared_ptr<Inode> inode;
  std::shared_ptr<const UniqueFd> fd;
  bool has_bytes = false;
  {
    const std::shared_lock lock(state_->names);
    inode = handle->node().inode;
    if (!inode) return {};  // the base is durable
    has_bytes = inode->row.has_own_bytes();
    if (has_bytes) {
      SATCHEL_ASSIGN(fd, state_->bytes_of(*inode));
    }
  }
  if (has_bytes) {
    // The row holds size and times, so the file's own need not be exact.
    SATCHEL_ASSIGN(const Step step, fault_point("upper.sync_file"));
    const int result = step == Step::kLeaveOut ? 0 : ::fdatasync(fd->get());
    if (result != 0) return file_error({}, "sync a changed file");
    bool is_folder_synced = false;
    {
      const std::lock_guard lock(inode->live_mutex);
      is_folder_synced = inode->is_folder_synced;
    }
    if (!is_folder_synced) {
      SATCHEL_TRY(state_->upper->sync_bytes_folder(inode->id));
      const std::lock_guard lock(inode->live_mutex);
      inode->is_folder_synced = true;
    }
  }
  if (!data_only || has_bytes) {
    const std::unique_lock lock(state_->names);
    std::vector<NodeRef> node;
    node.push_back(state_->table.pin(handle->node()));
    SATCHEL_TRY(state_->flush(node));
  }
  return state_->upper->sync();
}

Result<void> View::sync_all() {
  if (!state_->upper) return {};
  {
    const std::unique_lock lock(state_->names);
    SATCHEL_TRY(state_->flush_all());
  }
  SATCHEL_TRY(state_->upper->sync_filesystem());
  return state_->upper->sync();
}

Result<void> View::fallocate(HandleId id, FallocateMode mode, std::uint64_t offset,
                             std::uint64_t length) {
  SATCHEL_ASSIGN(const auto handle, state_->handles.file(id));
  if (!handle->is_writable()) return errno_answer(EBADF);
  if (length == 0) return errno_answer(EINVAL);
  if (offset > kOffsetMax || length > kOffsetMax - offset) return errno_answer(EFBIG);
  SATCHEL_ASSIGN(const auto own, state_->writable_bytes(*handle));
  SATCHEL_TRY(state_->kill_privileges(handle->node(), /*kill_suid=*/false));
  // A hole would show the base.
  if (ViewState::clears(mode)) SATCHEL_TRY(state_->complete_bytes(own.inode->id, {}));
  const auto turn = state_->take_turn(*own.inode);
  SATCHEL_TRY(state_->allocate_bytes(own, mode, offset, length));
  const Timestamp now = state_->context.clock.now();
  const std::lock_guard live_lock(own.inode->live_mutex);
  state_->note_write(*own.inode, ViewState::grows(mode) ? offset + length : 0, now);
  state_->note_blocks(*own.inode);
  return {};
}

Result<std::uint64_t> View::seek(HandleId id, std::uint64_t offset, int whence) {
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return errno_answer(EINVAL);
  SATCHEL_ASSIGN(const auto handle, state_->handles.file(id));
  SATCHEL_ASSIGN(const auto readable, state_->readable_bytes(*handle));
  if (offset > kOffsetMax) return errno_answer(ENXIO);
  if (readable.own.fd) return state_->seek_bytes(readable.own, offset, whence);
  if (offset >= readable.content.size) return errno_answer(ENXIO);
  SATCHEL_ASSIGN(const auto file, state_->context.contents.find_file(readable.content));
  if (file) return seek_file(file->get(), offset, whence);
  // Where its holes are is known when its bytes are here; "all data" is always true.
  return whence == SEEK_DATA ? offset : readable.content.size;
}

Result<std::size_t> View::copy_range(HandleId from_id, std::uint64_t from_offset, HandleId to_id,
                                     std::uint64_t to_offset, std::size_t length) {
  SATCHEL_ASSIGN(const auto from, state_->handles.file(from_id));
  SATCHEL_ASSIGN(const auto to, state_->handles.file(to_id));
  if (!from->is_readable() || !to->is_writable()) return errno_answer(EBADF);
  length = std::min(length, kCopyRangeBytesMax);
  if (from_offset > kOffsetMax - length || to_offset > kOffsetMax - length) {
    return errno_answer(EFBIG);
  }
  SATCHEL_ASSIGN(const auto own, state_->writable_bytes(*to));
  SATCHEL_TRY(state_->kill_privileges(to->node(), /*kill_suid=*/false));
  SATCHEL_ASSIGN(const auto readable, state_->readable_bytes(*from));
  std::size_t copied = 0;
  ViewState::WriteTurn turn;
  if (readable.own.fd && state_->is_plain(readable.own) && state_->is_plain(own)) {
    turn = state_->take_turn(*own.inode);
    SATCHEL_ASSIGN(copied, state_->copy_bytes(readable.own, from_offset, own, to_offset, length));
  } else {
    // What comes from the base may have to come from far away: before any lock.
    std::vector<std::byte> buffer(std::min(length, kCopyStepBytes));
    SATCHEL_ASSIGN(const std::size_t known, state_->read_range(readable, from_offset, buffer));
    if (known == 0) return known;
    ViewState::WriteRange range{.offset = to_offset, .length = known};
    SATCHEL_ASSIGN(turn, state_->take_turn_to_write(own, range));
    SATCHEL_ASSIGN(copied, state_->write_bytes(own, to_offset, Bytes(buffer).first(known)));
  }
  if (copied == 0) return copied;
  const Timestamp now = state_->context.clock.now();
  const std::lock_guard live_lock(own.inode->live_mutex);
  state_->note_write(*own.inode, to_offset + copied, now);
  return copied;
}

}  // namespace satchel::fs
