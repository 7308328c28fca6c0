// Compression of pack entries. The one door to zstd.
#pragma once

#include <cstdint>
#include <vector>

#include "base/digest.h"

namespace satchel::store {

enum class Codec : std::uint8_t { kRaw = 0, kZstd = 1 };

struct Encoded {
  Codec codec = Codec::kRaw;
  std::vector<std::byte> bytes;
};
/// zstd level 3, or raw where that is not smaller. Thread-safe (a context per thread).
Encoded compress(Bytes raw);
/// Exactly `raw_length` bytes come out or it is an error, whatever the input claims; the caller has
/// bounded it. Errors: EBADMSG (kCorrupted), ENOTSUP (kNewerFormat: an unknown codec).
Result<std::vector<std::byte>> decompress(Codec codec, Bytes stored, std::size_t raw_length);

}  // namespace satchel::store
