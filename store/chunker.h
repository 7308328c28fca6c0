// Where to cut a content into chunks: FastCDC (Xia et al., USENIX ATC 2016), normalised chunking level 2.
#pragma once

#include <cstddef>

#include "base/digest.h"

namespace satchel::store {

struct ChunkerParameters {
  std::size_t bytes_min = 4U << 10U;
  std::size_t bytes_average = 16U << 10U;  ///< a power of two
  std::size_t bytes_max = 128U << 10U;
};

/// Length of the first chunk of `bytes`, 1…bytes_max. `bytes` must hold bytes_max bytes or reach the content's end;
/// the gear table is fixed (docs/format.md), so equal bytes are cut alike everywhere. Pure.
std::size_t first_chunk_bytes(Bytes bytes, const ChunkerParameters& parameters = {});

}  // namespace satchel::store
