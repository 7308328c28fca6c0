#include "store/sparse_file.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/file_io.h"
#include "store/content_id.h"

namespace satchel::store {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20U;

/// Where the next data (SEEK_DATA) or hole (SEEK_HOLE) begins, at most `size`.
std::uint64_t seek(int fd, std::uint64_t position, int what, std::uint64_t size) {
  const off_t found = ::lseek(fd, static_cast<off_t>(position), what);
  if (found >= 0) return std::min(static_cast<std::uint64_t>(found), size);
  // ENXIO: only hole follows. Anything else: this filesystem cannot tell, so all is data.
  const bool only_hole = errno == ENXIO;
  if (what == SEEK_DATA) return only_hole ? size : position;
  return size;
}

Result<void> visit_data(int fd, std::uint64_t position, std::uint64_t end,
                        const SparseFileVisitor& visitor) {
  thread_local std::vector<std::byte> buffer(kPieceBytes);
  while (position < end) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - position));
    const std::span<std::byte> piece = std::span(buffer).first(wanted);
    SATCHEL_ASSIGN(const std::size_t got, pread_all(fd, piece, position));
    if (got < wanted) {
      return Error{.code = EBUSY, .sat = Sat::kBusyFile, .message = "shrank while it was read"};
    }
    SATCHEL_TRY(visitor.data(piece));
    position += got;
  }
  return {};
}

}  // namespace

Result<void> visit_sparse_file(int fd, std::uint64_t size, const SparseFileVisitor& visitor) {
  if (size <= kLeafBytes) return visit_data(fd, 0, size, visitor);
  std::uint64_t position = 0;
  while (position < size) {
    const std::uint64_t data = seek(fd, position, SEEK_DATA, size);
    if (data > position) SATCHEL_TRY(visitor.hole(data - position));
    const std::uint64_t end = data < size ? seek(fd, data, SEEK_HOLE, size) : size;
    SATCHEL_TRY(visit_data(fd, data, end, visitor));
    position = end;
  }
  return {};
}

}  // namespace satchel::store
