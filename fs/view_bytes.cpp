// Bytes of changed files, wherever they are.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

using ByteSpan = std::span<const std::byte>;

/// As much as goes; an error only if that is nothing.
Result<std::size_t> pwrite_some(int fd, ByteSpan bytes, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written =
        ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && done == 0) return file_error({}, "write to a changed file");
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  return done;
}

int flags_of(FallocateMode mode) {
  switch (mode) {
    case FallocateMode::kAllocate:
      return 0;
    case FallocateMode::kKeepSize:
      return FALLOC_FL_KEEP_SIZE;
    case FallocateMode::kPunchHole:
      return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    case FallocateMode::kZeroRange:
      return FALLOC_FL_ZERO_RANGE;
    case FallocateMode::kZeroRangeKeepSize:
      return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
  }
  return 0;
}

/// Where the filesystem below cannot zero a range (tmpfs), a hole and an allocation do the same.
Result<void> allocate(int fd, int flags, std::uint64_t offset, std::uint64_t length) {
  const auto start = static_cast<off_t>(offset);
  const auto bytes = static_cast<off_t>(length);
  if (::fallocate(fd, flags, start, bytes) == 0) return {};
  if (errno == EOPNOTSUPP && (flags & FALLOC_FL_ZERO_RANGE) != 0) {
    const int keep_size = flags & FALLOC_FL_KEEP_SIZE;
    if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, bytes) == 0 &&
        ::fallocate(fd, keep_size, start, bytes) == 0) {
      return {};
    }
  }
  return file_error({}, "allocate in a changed file");
}

Result<void> allocate_spilled(SpillFile& file, FallocateMode mode, std::uint64_t offset,
                              std::uint64_t length) {
  if (ViewState::clears(mode)) SATCHEL_TRY(file.clear(offset, length));
  if (mode != FallocateMode::kPunchHole) SATCHEL_TRY(file.reserve(offset, length));
  if (!ViewState::grows(mode) || offset + length <= file.size()) return {};
  return file.resize(offset + length);
}

}  // namespace

Result<std::uint64_t> seek_file(int fd, std::uint64_t offset, int whence) {
  const off_t found = ::lseek(fd, static_cast<off_t>(offset), whence);
  if (found < 0) return errno_answer(errno);
  return static_cast<std::uint64_t>(found);
}

bool ViewState::grows(FallocateMode mode) {
  return mode == FallocateMode::kAllocate || mode == FallocateMode::kZeroRange;
}

bool ViewState::clears(FallocateMode mode) {
  return mode != FallocateMode::kAllocate && mode != FallocateMode::kKeepSize;
}

bool ViewState::is_plain(const Bytes& own) const {
  return !upper->is_scratch(own.inode->id) && !upper->find_block_map(own.inode->id);
}

Result<std::size_t> ViewState::read_bytes(const Bytes& own, std::uint64_t offset,
                                          std::span<std::byte> out) {
  if (const auto map = upper->find_block_map(own.inode->id)) {
    return read_shared(own, *map, offset, out);
  }
  if (!upper->is_scratch(own.inode->id)) return pread_all(own.fd->get(), out, offset);
  const std::lock_guard io_lock(own.inode->io_mutex);
  if (const auto spill = upper->find_spill(own.inode->id)) return spill->read(offset, out);
  return pread_all(own.fd->get(), out, offset);
}

Result<std::size_t> ViewState::read_range(const Readable& readable, std::uint64_t offset,
                                          std::span<std::byte> out) {
  if (readable.own.fd) return read_bytes(readable.own, offset, out);
  if (offset >= readable.content.size) return std::size_t{0};
  return context.contents.read(readable.content, offset, out);
}

Result<std::uint64_t> ViewState::seek_bytes(const Bytes& own, std::uint64_t offset,
                                            int whence) const {
  std::unique_lock<std::mutex> io_lock;
  if (upper->find_block_map(own.inode->id)) {
    SATCHEL_ASSIGN(const std::uint64_t size, Upper::size_of(own.fd->get()));
    if (offset >= size) return errno_answer(ENXIO);
    return whence == SEEK_DATA ? offset : size;  // "all data" is always true
  }
  if (upper->is_scratch(own.inode->id)) {
    io_lock = std::unique_lock(own.inode->io_mutex);
    if (const auto spill = upper->find_spill(own.inode->id)) return spill->seek(offset, whence);
  }
  return seek_file(own.fd->get(), offset, whence);
}

Result<std::size_t> ViewState::write_bytes(const Bytes& own, std::uint64_t offset, ByteSpan bytes) {
  const UpperId id = own.inode->id;
  if (const auto spill = upper->find_spill(id)) return spill->write(offset, bytes);
  auto written = pwrite_some(own.fd->get(), bytes, offset);
  if (const auto map = upper->find_block_map(id); map && written) {
    return write_shared(own, *map, offset, bytes.size(), *written);
  }
  if (!upper->is_scratch(id) || (!written && !is_full(written.error()))) return written;
  const std::size_t done = written ? *written : 0;
  if (done == bytes.size()) return done;
  auto spill = upper->spill(id, own.fd->get());
  if (!spill && done == 0) return std::move(spill).error();
  if (!spill) return done;
  const auto rest = (*spill)->write(offset + done, bytes.subspan(done));
  if (!rest && done == 0) return rest.error();
  return done + (rest ? *rest : 0);
}

Result<void> ViewState::resize_bytes(const Bytes& own, std::uint64_t size) const {
  if (const auto spill = upper->find_spill(own.inode->id)) return spill->resize(size);
  if (::ftruncate(own.fd->get(), static_cast<off_t>(size)) != 0) {
    return file_error({}, "truncate a changed file");
  }
  const auto map = upper->find_block_map(own.inode->id);
  if (!map || size >= map->shown_bytes()) return {};
  // Else a power cut could leave the old length, and nothing shown there.
  SATCHEL_TRY(fsync_at_fault_point("upper.shrink.fsync", own.fd->get()));
  return upper->hide_from(own.inode->id, *map, size);
}

Result<void> ViewState::allocate_bytes(const Bytes& own, FallocateMode mode, std::uint64_t offset,
                                       std::uint64_t length) const {
  auto spill = upper->find_spill(own.inode->id);
  if (!spill) {
    auto allocated = allocate(own.fd->get(), flags_of(mode), offset, length);
    if (allocated || !upper->is_scratch(own.inode->id) || !is_full(allocated.error()))
      return allocated;
    SATCHEL_ASSIGN(spill, upper->spill(own.inode->id, own.fd->get()));
  }
  return allocate_spilled(*spill, mode, offset, length);
}

Result<std::size_t> ViewState::copy_bytes(const Bytes& from, std::uint64_t from_offset,
                                          const Bytes& to, std::uint64_t to_offset,
                                          std::size_t length) {
  auto in = static_cast<off_t>(from_offset);
  auto out = static_cast<off_t>(to_offset);
  const ssize_t copied = ::copy_file_range(from.fd->get(), &in, to.fd->get(), &out, length, 0);
  if (copied < 0) return file_error({}, "copy between changed files");
  return static_cast<std::size_t>(copied);
}

}  // namespace satchel::fs
