#include "store/chunker.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "base/encoding.h"
#include "base/sha256.h"

namespace satchel::store {
namespace {

// The hash is shifted by one bit for each byte, so a byte has left it after this many.
constexpr std::size_t kWindowBytes = 64;
constexpr std::size_t kNormalization = 4;  // level 2: 2^2

using GearTable = std::array<std::uint64_t, 256>;

GearTable make_gear_table() {
  GearTable gear{};
  for (std::size_t i = 0; i < gear.size(); ++i) {
    ByteWriter seed;
    seed.put_raw(as_bytes("satchel-gear-0")).put_u8(static_cast<std::uint8_t>(i));
    const Sha256Value hash = sha256(seed.written());
    for (std::size_t byte = 0; byte < sizeof gear[i]; ++byte) {
      gear[i] |= std::to_integer<std::uint64_t>(hash[byte]) << (8U * byte);
    }
  }
  return gear;
}

const GearTable& gear_table() {
  static const GearTable gear = make_gear_table();
  return gear;
}

/// The hash of the 64 bytes before a position, moved on byte by byte.
struct RollingHash {
  const std::uint64_t* gear;
  const std::byte* bytes;
  std::uint64_t value = 0;

  void roll(std::size_t position) {
    value = (value << 1U) + gear[std::to_integer<std::size_t>(bytes[position])];
  }
  /// The first position in [position, end) whose hash has its highest bits zero, as one in `one_in`
  /// (a power of two) has, or `end`.
  std::size_t find_cut(std::size_t position, std::size_t end, std::size_t one_in) {
    const std::uint64_t mask = ~(std::numeric_limits<std::uint64_t>::max() / one_in);
    for (; position < end; ++position) {
      if ((value & mask) == 0) return position;
      roll(position);
    }
    return end;
  }
};

}  // namespace

std::size_t first_chunk_bytes(Bytes bytes, const ChunkerParameters& parameters) {
  const std::size_t average = parameters.bytes_average;
  SATCHEL_ASSERT(average >= kNormalization && std::has_single_bit(average));
  SATCHEL_ASSERT(parameters.bytes_min >= kWindowBytes);
  const std::size_t end = std::min(bytes.size(), parameters.bytes_max);
  if (end <= parameters.bytes_min) return end;
  const std::size_t middle = std::min(end, average);

  RollingHash hash{.gear = gear_table().data(), .bytes = bytes.data()};
  for (std::size_t i = parameters.bytes_min - kWindowBytes; i < parameters.bytes_min; ++i) {
    hash.roll(i);
  }
  const std::size_t early = hash.find_cut(parameters.bytes_min, middle, average * kNormalization);
  if (early < middle) return early;
  return hash.find_cut(middle, end, average / kNormalization);
}

}  // namespace satchel::store
