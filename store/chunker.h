// Where to cut a content into chunks: FastCDC (Xia et al., USENIX ATC 2016), normalised chunking
// level 2. docs/format.md, section 5.
#pragma once

#include <cstddef>

#include "base/digest.h"

namespace satchel::store {

struct ChunkerParameters {
  std::size_t bytes_min = 4U << 10U;       ///< at least 64
  std::size_t bytes_average = 16U << 10U;  ///< a power of two
  std::size_t bytes_max = 128U << 10U;
};

/// Length of the first chunk of `bytes`, 1…bytes_max; 0 for no bytes. `bytes` must hold bytes_max
/// bytes or reach the end of the data. The gear table is fixed, so equal bytes are cut alike
/// everywhere. Pure.
std::size_t first_chunk_bytes(Bytes bytes, const ChunkerParameters& parameters = {});

}  // namespace satchel::store
