// A file's data and holes, in order.
#pragma once

#include <cstdint>
#include <functional>

#include "base/digest.h"

namespace satchel::store {

struct SparseFileVisitor {
  std::function<Result<void>(Bytes)> data;          ///< pieces of at most 1 MiB
  std::function<Result<void>(std::uint64_t)> hole;  ///< the count of its bytes
};

/// Visits the first `size` bytes of an open file. Holes are what SEEK_DATA leaves out; where the
/// filesystem knows none, and in files up to 64 KiB, all is data. `fd` is borrowed and its offset
/// is moved. Errors: EBUSY (kBusyFile: the file is shorter), EIO (kIo), those of the visitor.
Result<void> visit_sparse_file(int fd, std::uint64_t size, const SparseFileVisitor& visitor);

}  // namespace satchel::store
