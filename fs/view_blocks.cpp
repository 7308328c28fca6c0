// Block copy-on-write: a large base file is copied block by block, as it is written to, so that the
// first write costs the same at any size. Such files are served by the daemon; one that is used
// much, or is about to be hashed, gets the rest of its bytes and is a file like others from then
// on.

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kFillBytes = 1U << 20U;
static_assert(kRegionBytes % kFillBytes == 0 && kFillBytes % kCopyBlockBytes == 0);

/// Where the hole of `fd` that `offset` may stand in ends.
std::uint64_t next_data(int fd, std::uint64_t offset) {
  const off_t data = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (data >= 0) return static_cast<std::uint64_t>(data);
  return errno == ENXIO ? kOffsetMax : offset;
}

/// `shown` bytes of `content` at `offset`, and zeros for the rest of `out`. A map may end at any
/// moment, so how much it showed is asked once, together with which blocks it did not own.
Result<void> read_shown(ContentSource& contents, const store::ContentId& content,
                        std::uint64_t offset, std::span<std::byte> out, std::uint64_t shown) {
  std::size_t done = 0;
  while (done < shown) {
    SATCHEL_ASSIGN(const std::size_t count,
                   contents.read(content, offset + done, out.subspan(done, shown - done)));
    if (count == 0) return Error{.code = EBADMSG, .sat = Sat::kCorrupted};
    done += count;
  }
  std::ranges::fill(out.subspan(shown), std::byte{});
  return {};
}

/// Writes those blocks of `bytes`, which are what `map` shows at `offset`, that the file does not
/// own. Its times stay. The map's write_mutex is held.
Result<void> put_shown(Upper& upper, UpperId id, int fd, BlockMap& map, std::uint64_t offset,
                       Bytes bytes, ViewState::Zeros zeros) {
  const std::uint64_t shown = map.shown_bytes();
  if (offset >= shown) return {};
  bytes = bytes.first(std::min<std::uint64_t>(bytes.size(), shown - offset));
  struct stat before {};
  if (::fstat(fd, &before) != 0) return file_error({}, "look at a changed file");
  for (const BlockMap::Run& run : map.runs(offset, bytes.size())) {
    if (run.is_own) continue;
    const Bytes piece = bytes.subspan(run.offset - offset, run.length);
    SATCHEL_TRY(zeros == ViewState::Zeros::kHoles ? pwrite_sparse(fd, piece, run.offset)
                                                  : pwrite_all(fd, piece, run.offset));
  }
  const std::array<timespec, 2> times{before.st_atim, before.st_mtim};
  if (::futimens(fd, times.data()) != 0) return file_error({}, "keep the times of a changed file");
  const std::uint64_t last = (offset + bytes.size() - 1) / kCopyBlockBytes;
  return upper.own_blocks(id, map, offset / kCopyBlockBytes, last);
}

}  // namespace

Result<std::shared_ptr<BlockMap>> ViewState::share_blocks(const store::ContentId& content,
                                                          UpperId id, int fd) {
  // Where the filesystem can share blocks by itself, the file is whole at once.
  SATCHEL_ASSIGN(const auto object, context.contents.find_file(content));
  const bool is_cloned = object && ::ioctl(fd, FICLONE, object->get()) == 0;
  if (!is_cloned && ::ftruncate(fd, static_cast<off_t>(content.size)) != 0) {
    return file_error({}, "make room for a changed file");
  }
  SATCHEL_TRY(fsync_at_fault_point("upper.copy_up.fsync", fd));
  SATCHEL_TRY(upper->sync_bytes_folder(id));
  if (is_cloned) return std::shared_ptr<BlockMap>();
  return std::make_shared<BlockMap>(content, content.size);
}

Result<std::size_t> ViewState::read_shared(const Bytes& own, BlockMap& map, std::uint64_t offset,
                                           std::span<std::byte> out) {
  SATCHEL_ASSIGN(const std::uint64_t size, Upper::size_of(own.fd->get()));
  if (offset >= size) return std::size_t{0};
  out = out.first(std::min<std::uint64_t>(out.size(), size - offset));
  for (const BlockMap::Run& run : map.runs(offset, out.size())) {
    const auto piece = out.subspan(run.offset - offset, run.length);
    if (!run.is_own) {
      SATCHEL_TRY(read_shown(context.contents, map.content(), run.offset, piece, run.shown));
      continue;
    }
    SATCHEL_ASSIGN(const std::size_t count, pread_all(own.fd->get(), piece, run.offset));
    std::ranges::fill(piece.subspan(count), std::byte{});  // it shrank meanwhile
  }
  note_use(own.inode->id, map, out.size());
  return out.size();
}

ViewState::WriteTurn ViewState::take_turn(Inode& inode) const {
  WriteTurn turn{.io = std::unique_lock(inode.io_mutex), .map = {}, .blocks = {}};
  turn.map = upper->find_block_map(inode.id);
  if (turn.map) turn.blocks = std::unique_lock(turn.map->write_mutex());
  return turn;
}

Result<ViewState::WriteTurn> ViewState::take_turn_to_write(const Bytes& own, WriteRange& range) {
  for (;;) {
    std::vector<std::uint64_t> cut;
    std::shared_ptr<BlockMap> map;
    {
      WriteTurn turn = take_turn(*own.inode);
      if (range.is_append) {
        const std::lock_guard live_lock(own.inode->live_mutex);
        catch_up(*own.inode);
        range.offset = own.inode->row.live.size;
      }
      if (range.offset > kOffsetMax - range.length) return errno_answer(EFBIG);
      if (turn.map) cut = turn.map->cut_blocks(range.offset, range.length);
      if (cut.empty()) return turn;
      map = turn.map;
    }
    // What they show may have to come from far away: without a lock.
    for (const std::uint64_t block : cut) {
      SATCHEL_TRY(fill(own.inode->id, own.fd->get(), *map, block * kCopyBlockBytes, kCopyBlockBytes,
                       Zeros::kWritten));
    }
  }
}

Result<void> ViewState::fill(UpperId id, int fd, BlockMap& map, std::uint64_t offset,
                             std::size_t length, Zeros zeros) {
  const std::uint64_t shown = map.shown_bytes();
  if (offset >= shown) return {};
  std::vector<std::byte> bytes(std::min<std::uint64_t>(length, shown - offset));
  SATCHEL_TRY(read_shown(context.contents, map.content(), offset, bytes, bytes.size()));
  const std::lock_guard turn(map.write_mutex());
  return put_shown(*upper, id, fd, map, offset, bytes, zeros);
}

Result<std::size_t> ViewState::write_shared(const Bytes& own, BlockMap& map, std::uint64_t offset,
                                            std::size_t wanted, std::size_t written) {
  std::uint64_t end = offset + written;
  if (written < wanted && !map.cut_blocks(offset, written).empty()) {
    end -= end % kCopyBlockBytes;  // the disk is full: a block is replaced as a whole, or not
  }
  Result<void> owned;
  if (end > offset) {
    const std::uint64_t last = (end - 1) / kCopyBlockBytes;
    owned = upper->own_blocks(own.inode->id, map, offset / kCopyBlockBytes, last);
  }
  SATCHEL_TRY(Upper::clear_shown(own.fd->get(), map, offset, offset + written));
  SATCHEL_TRY(owned);
  if (end <= offset) return Error{.code = ENOSPC, .sat = Sat::kNoSpace};
  note_use(own.inode->id, map, end - offset);
  return static_cast<std::size_t>(end - offset);
}

void ViewState::note_use(UpperId id, BlockMap& map, std::uint64_t bytes) {
  if (map.note_use(bytes)) completer.ask(id);
}

Result<void> ViewState::complete_if_local(UpperId id, const std::stop_token& stop) {
  const auto map = upper->find_block_map(id);
  if (!map) return {};
  SATCHEL_ASSIGN(const auto object, context.contents.find_file(map->content()));
  if (!object) return {};  // to fetch what nobody asked for is not worth it
  return complete_bytes(id, stop);
}

// A crash on the way leaves blocks that say what they showed.
Result<void> ViewState::complete_bytes(UpperId id, const std::stop_token& stop) {
  const auto map = upper->find_block_map(id);
  if (!map) return {};
  SATCHEL_ASSIGN(const UniqueFd fd, upper->open_bytes(id, O_RDWR));
  SATCHEL_ASSIGN(const auto object, context.contents.find_file(map->content()));
  for (std::uint64_t offset = 0; offset < map->shown_bytes(); offset += kFillBytes) {
    if (stop.stop_requested()) return errno_answer(EINTR);
    if (object) {
      offset = next_data(object->get(), offset) / kFillBytes * kFillBytes;
      if (offset >= map->shown_bytes()) break;
    }
    const auto runs = map->runs(offset, kFillBytes);
    if (std::ranges::all_of(runs, &BlockMap::Run::is_own)) continue;
    SATCHEL_TRY(fill(id, fd.get(), *map, offset, kFillBytes, Zeros::kHoles));
  }
  SATCHEL_TRY(fsync_at_fault_point("upper.complete.fsync", fd.get()));
  const std::lock_guard turn(map->write_mutex());
  return upper->end_block_map(id);
}

}  // namespace satchel::fs
