#include "base/encoding.h"

#include <utility>

namespace satchel {
namespace {

constexpr unsigned kVarintBits = 7;
constexpr std::size_t kVarintBytesMax = 10;

Error contradiction(std::string_view why) {
  return {.code = EUCLEAN, .sat = Sat::kContradiction, .message = std::string(why)};
}

Error beyond_limit(std::uint64_t value, std::uint64_t max) {
  return {.code = EUCLEAN,
          .sat = Sat::kLimit,
          .message = "encoded number " + std::to_string(value) + " is above its limit of " +
                     std::to_string(max)};
}

}  // namespace

template <typename Number>
ByteWriter& ByteWriter::put_little_endian(Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    buffer_.push_back(static_cast<std::byte>((value >> (8U * i)) & 0xFFU));
  }
  return *this;
}

ByteWriter& ByteWriter::put_u8(std::uint8_t value) {
  buffer_.push_back(std::byte{value});
  return *this;
}
ByteWriter& ByteWriter::put_u16(std::uint16_t value) {
  return put_little_endian(value);
}
ByteWriter& ByteWriter::put_u32(std::uint32_t value) {
  return put_little_endian(value);
}
ByteWriter& ByteWriter::put_u64(std::uint64_t value) {
  return put_little_endian(value);
}

ByteWriter& ByteWriter::put_varint(std::uint64_t value) {
  for (; value > 0x7FU; value >>= kVarintBits) {
    buffer_.push_back(static_cast<std::byte>((value & 0x7FU) | 0x80U));
  }
  buffer_.push_back(static_cast<std::byte>(value));
  return *this;
}

ByteWriter& ByteWriter::put_signed_varint(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return put_varint(value < 0 ? ~(bits << 1U) : bits << 1U);
}

ByteWriter& ByteWriter::put_bytes(Bytes bytes) {
  return put_varint(bytes.size()).put_raw(bytes);
}
ByteWriter& ByteWriter::put_text(std::string_view text) {
  return put_bytes(as_bytes(text));
}

ByteWriter& ByteWriter::put_raw(Bytes bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return *this;
}

std::vector<std::byte> ByteWriter::take() {
  return std::exchange(buffer_, {});
}

template <typename Number>
Result<Number> ByteReader::get_little_endian() {
  if (rest_.size() < sizeof(Number)) return contradiction("truncated number");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value |= std::to_integer<std::uint64_t>(rest_[i]) << (8U * i);
  }
  rest_ = rest_.subspan(sizeof(Number));
  return static_cast<Number>(value);
}

Result<std::uint8_t> ByteReader::get_u8() {
  return get_little_endian<std::uint8_t>();
}
Result<std::uint16_t> ByteReader::get_u16() {
  return get_little_endian<std::uint16_t>();
}
Result<std::uint32_t> ByteReader::get_u32() {
  return get_little_endian<std::uint32_t>();
}
Result<std::uint64_t> ByteReader::get_u64() {
  return get_little_endian<std::uint64_t>();
}

Result<std::uint64_t> ByteReader::get_varint() {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kVarintBytesMax; ++i) {
    if (i == rest_.size()) return contradiction("truncated varint");
    const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
    // Nine bytes carry 63 bits, so the tenth can only add the highest one.
    if (i + 1 == kVarintBytesMax && byte > 1) return contradiction("varint above 64 bits");
    value |= (byte & 0x7FU) << (kVarintBits * i);
    if ((byte & 0x80U) != 0) continue;
    if (byte == 0 && i > 0) return contradiction("over-long varint");
    rest_ = rest_.subspan(i + 1);
    return value;
  }
  return contradiction("varint above 64 bits");
}

Result<std::uint64_t> ByteReader::get_varint_up_to(std::uint64_t max) {
  const Bytes before = rest_;
  SATCHEL_ASSIGN(const std::uint64_t value, get_varint());
  if (value <= max) return value;
  rest_ = before;
  return beyond_limit(value, max);
}

Result<std::int64_t> ByteReader::get_signed_varint() {
  SATCHEL_ASSIGN(const std::uint64_t value, get_varint());
  const std::uint64_t magnitude = value >> 1U;
  return static_cast<std::int64_t>((value & 1U) != 0 ? ~magnitude : magnitude);
}

Result<std::size_t> ByteReader::get_count(std::size_t item_bytes_min, std::size_t count_max) {
  SATCHEL_ASSERT(item_bytes_min > 0);
  const Bytes before = rest_;
  SATCHEL_ASSIGN(const std::uint64_t count, get_varint_up_to(count_max));
  if (count <= rest_.size() / item_bytes_min) return static_cast<std::size_t>(count);
  rest_ = before;
  return contradiction("truncated: fewer bytes than the count promises");
}

Result<Bytes> ByteReader::get_bytes(std::size_t bytes_max) {
  const Bytes before = rest_;
  SATCHEL_ASSIGN(const std::uint64_t size, get_varint_up_to(bytes_max));
  Result<Bytes> bytes = get_raw(static_cast<std::size_t>(size));
  if (!bytes) rest_ = before;
  return bytes;
}

Result<std::string_view> ByteReader::get_text(std::size_t bytes_max) {
  SATCHEL_ASSIGN(const Bytes bytes, get_bytes(bytes_max));
  return as_text(bytes);
}

Result<Bytes> ByteReader::get_raw(std::size_t size) {
  if (size > rest_.size()) return contradiction("truncated bytes");
  const Bytes bytes = rest_.first(size);
  rest_ = rest_.subspan(size);
  return bytes;
}

Result<void> ByteReader::expect_end() const {
  if (rest_.empty()) return {};
  return contradiction(std::to_string(rest_.size()) + " bytes too many");
}

}  // namespace satchel
