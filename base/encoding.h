// The bytes of every binary format: little-endian numbers, varints and length-prefixed strings.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace satchel {

/// Appends to a buffer that it owns. There is one encoding for each value, so equal values are
/// equal bytes. Not thread-safe.
class ByteWriter {
 public:
  ByteWriter& put_u8(std::uint8_t value);
  ByteWriter& put_u16(std::uint16_t value);
  ByteWriter& put_u32(std::uint32_t value);
  ByteWriter& put_u64(std::uint64_t value);
  /// LEB128: seven bits a byte, lowest first; 1…10 bytes.
  ByteWriter& put_varint(std::uint64_t value);
  /// Zigzag, then LEB128: numbers near zero are short on both sides of it.
  ByteWriter& put_signed_varint(std::int64_t value);
  /// Their count as a varint, then the bytes.
  ByteWriter& put_bytes(Bytes bytes);
  ByteWriter& put_text(std::string_view text);
  /// The bytes alone: for fixed sizes.
  ByteWriter& put_raw(Bytes bytes);

  [[nodiscard]] std::size_t size() const { return buffer_.size(); }
  /// Valid until the next put.
  [[nodiscard]] Bytes written() const { return buffer_; }
  /// Hands the buffer over and starts an empty one.
  [[nodiscard]] std::vector<std::byte> take();
  void reserve(std::size_t bytes) { buffer_.reserve(bytes); }

 private:
  template <typename Number>
  ByteWriter& put_little_endian(Number value);
  std::vector<std::byte> buffer_;
};

/// Reads what a ByteWriter wrote, from bytes that anybody may have made up: it never looks outside
/// of them, allocates nothing, and refuses a second encoding of a value.
///
/// Errors of every get: EUCLEAN with kContradiction (truncated, over-long), and kLimit where a
/// length or count is beyond the caller's limit. The reader stands where it stood before a get that
/// failed. Borrows the bytes; what get_bytes(), get_text() and get_raw() give points into them. Not
/// thread-safe.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  Result<std::uint8_t> get_u8();
  Result<std::uint16_t> get_u16();
  Result<std::uint32_t> get_u32();
  Result<std::uint64_t> get_u64();
  Result<std::uint64_t> get_varint();
  /// A varint that is at most `max`.
  Result<std::uint64_t> get_varint_up_to(std::uint64_t max);
  Result<std::int64_t> get_signed_varint();
  /// A varint that counts items of at least `item_bytes_min` (≥ 1) bytes each, which follow: never
  /// more than remaining() can hold, so a vector of that many is safe to reserve.
  Result<std::size_t> get_count(std::size_t item_bytes_min, std::size_t count_max);
  Result<Bytes> get_bytes(std::size_t bytes_max);
  Result<std::string_view> get_text(std::size_t bytes_max);
  Result<Bytes> get_raw(std::size_t size);
  template <std::size_t Size>
  Result<std::array<std::byte, Size>> get_array() {
    SATCHEL_ASSIGN(const Bytes raw, get_raw(Size));
    std::array<std::byte, Size> array{};
    std::copy(raw.begin(), raw.end(), array.begin());
    return array;
  }
  /// 32 raw bytes as the digest type `DigestType` (ChunkId, TreeId …).
  template <typename DigestType>
  Result<DigestType> get_digest() {
    SATCHEL_ASSIGN(const auto bytes, get_array<DigestType::kBytes>());
    return DigestType{bytes};
  }

  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
  /// Errors: EUCLEAN (kContradiction) if bytes are left.
  [[nodiscard]] Result<void> expect_end() const;

 private:
  template <typename Number>
  Result<Number> get_little_endian();
  Bytes rest_;
};

}  // namespace satchel
