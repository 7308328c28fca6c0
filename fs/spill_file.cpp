#include "fs/spill_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/file_io.h"

namespace satchel::fs {
namespace {

using SectorBytes = std::array<std::byte, SectorCipher::kSectorBytes>;

}  // namespace

Result<std::unique_ptr<SpillFile>> SpillFile::make(int folder, const SectorCipher& cipher,
                                                   std::uint64_t number) {
  UniqueFd fd(::openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) return file_error({}, "make a spill file");
  return std::unique_ptr<SpillFile>(new SpillFile(std::move(fd), cipher, number));
}

std::uint64_t SpillFile::blocks() const {
  struct stat found {};
  return ::fstat(fd_.get(), &found) == 0 ? static_cast<std::uint64_t>(found.st_blocks) : 0;
}

Result<void> SpillFile::read_sector(std::uint64_t sector, SectorCipher::Sector out) const {
  SATCHEL_ASSIGN(const std::size_t count, pread_all(fd_.get(), out, sector * kSector));
  std::ranges::fill(out.subspan(count), std::byte{0});
  // A hole. No bytes are encrypted to zeros, but for one chance in 2^32768.
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  if (!std::ranges::all_of(out, is_zero)) cipher_.decrypt(number_, sector, out);
  return {};
}

Result<void> SpillFile::write_sector(std::uint64_t sector, SectorCipher::Sector bytes) const {
  cipher_.encrypt(number_, sector, bytes);
  return pwrite_all(fd_.get(), bytes, sector * kSector);
}

Result<std::size_t> SpillFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return std::size_t{0};
  const std::size_t length = std::min<std::uint64_t>(out.size(), size_ - offset);
  SectorBytes bytes;
  for (std::size_t done = 0; done < length;) {
    const std::uint64_t at = offset + done;
    const std::size_t within = at % kSector;
    const std::size_t count = std::min(length - done, kSector - within);
    SATCHEL_TRY(read_sector(at / kSector, bytes));
    std::ranges::copy(std::span(bytes).subspan(within, count), out.subspan(done).begin());
    done += count;
  }
  return length;
}

Result<std::size_t> SpillFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  SectorBytes sector;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::uint64_t at = offset + done;
    const std::size_t within = at % kSector;
    const std::size_t count = std::min(bytes.size() - done, kSector - within);
    if (count < kSector) SATCHEL_TRY(read_sector(at / kSector, sector));
    std::ranges::copy(bytes.subspan(done, count), sector.begin() + within);
    if (auto written = write_sector(at / kSector, sector); !written) {
      if (done == 0) return std::move(written).error();
      break;
    }
    done += count;
    size_ = std::max(size_, offset + done);
  }
  return done;
}

Result<void> SpillFile::clear_within(std::uint64_t sector, std::size_t from, std::size_t to) const {
  if (from >= to) return {};
  SectorBytes bytes;
  SATCHEL_TRY(read_sector(sector, bytes));
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from),
            bytes.begin() + static_cast<std::ptrdiff_t>(to), std::byte{0});
  return write_sector(sector, bytes);
}

Result<void> SpillFile::resize(std::uint64_t size) {
  const std::uint64_t sectors = (size + kSector - 1) / kSector;
  if (size < size_ && size % kSector != 0) {
    SATCHEL_TRY(clear_within(size / kSector, size % kSector, kSector));
  }
  if (::ftruncate(fd_.get(), static_cast<off_t>(sectors * kSector)) != 0) {
    return file_error({}, "truncate a spill file");
  }
  size_ = size;
  return {};
}

Result<void> SpillFile::clear(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = std::min(size_, offset + length);
  if (offset >= end) return {};
  const std::uint64_t first = (offset + kSector - 1) / kSector;  // whole sectors: first…last-1
  const std::uint64_t last = end / kSector;
  if (first > last) return clear_within(last, offset % kSector, end % kSector);
  if (offset % kSector != 0) SATCHEL_TRY(clear_within(first - 1, offset % kSector, kSector));
  SATCHEL_TRY(clear_within(last, 0, end % kSector));
  if (first < last && ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  static_cast<off_t>(first * kSector),
                                  static_cast<off_t>((last - first) * kSector)) != 0) {
    return file_error({}, "punch a spill file");
  }
  return {};
}

Result<void> SpillFile::reserve(std::uint64_t offset, std::uint64_t length) {
  if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                  static_cast<off_t>(length)) != 0) {
    return file_error({}, "allocate a spill file");
  }
  return {};
}

Result<std::uint64_t> SpillFile::seek(std::uint64_t offset, int whence) const {
  if (offset >= size_) return Error{.code = ENXIO};
  const off_t found = ::lseek(fd_.get(), static_cast<off_t>(offset), whence);
  if (found < 0) return Error{.code = errno};
  return std::min(size_, std::max(offset, static_cast<std::uint64_t>(found)));
}

}  // namespace satchel::fs
