// A file on disk that only this process can read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/sector_cipher.h"
#include "base/unique_fd.h"

namespace satchel::fs {

/// Bytes that no one else may see, for which memory has no room: encrypted, in a file without a
/// name, so that it goes with the process however that ends.
///
/// Sectors that were never written are holes, and read as zeros. Not thread-safe.
class SpillFile {
 public:
  /// Borrows `cipher`. `number` is given to no other file under it. Errors: ENOSPC, EROFS, EIO.
  static Result<std::unique_ptr<SpillFile>> make(int folder, const SectorCipher& cipher,
                                                 std::uint64_t number);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t blocks() const;  ///< of 512 bytes
  /// As pread(2) and pwrite(2) do: fewer than were asked at the end, or where the disk is full.
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) const;
  Result<std::size_t> write(std::uint64_t offset, std::span<const std::byte> bytes);
  Result<void> resize(std::uint64_t size);
  /// Zeros; the file does not grow.
  Result<void> clear(std::uint64_t offset, std::uint64_t length);
  /// Room on the disk; the file does not grow.
  Result<void> reserve(std::uint64_t offset, std::uint64_t length);
  /// Where data or a hole begins, by the sector. Errors: ENXIO.
  [[nodiscard]] Result<std::uint64_t> seek(std::uint64_t offset, int whence) const;

 private:
  static constexpr std::size_t kSector = SectorCipher::kSectorBytes;
  SpillFile(UniqueFd fd, const SectorCipher& cipher, std::uint64_t number)
      : fd_(std::move(fd)), cipher_(cipher), number_(number) {}
  [[nodiscard]] Result<void> read_sector(std::uint64_t sector, SectorCipher::Sector out) const;
  [[nodiscard]] Result<void> write_sector(std::uint64_t sector, SectorCipher::Sector bytes) const;
  [[nodiscard]] Result<void> clear_within(std::uint64_t sector, std::size_t from,
                                          std::size_t to) const;

  UniqueFd fd_;
  const SectorCipher& cipher_;
  std::uint64_t number_;
  std::uint64_t size_ = 0;
};

}  // namespace satchel::fs
