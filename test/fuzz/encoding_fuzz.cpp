// ByteReader on any bytes: each first byte chooses a get, and what could be read must encode to the
// very bytes that were read.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/encoding.h"

namespace {

using satchel::ByteReader;
using satchel::Bytes;
using satchel::ByteWriter;

constexpr std::size_t kTextBytesMax = 1000;

/// One get, put into `writer` again. False if the bytes do not hold what was asked for.
bool copy_one(unsigned choice, ByteReader& reader, ByteWriter& writer) {
  const auto copy = [](auto result, auto put) {
    if (result) put(*result);
    return result.has_value();
  };
  switch (choice % 7) {
    case 0:
      return copy(reader.get_u8(), [&](auto value) { writer.put_u8(value); });
    case 1:
      return copy(reader.get_u16(), [&](auto value) { writer.put_u16(value); });
    case 2:
      return copy(reader.get_u32(), [&](auto value) { writer.put_u32(value); });
    case 3:
      return copy(reader.get_u64(), [&](auto value) { writer.put_u64(value); });
    case 4:
      return copy(reader.get_varint(), [&](auto value) { writer.put_varint(value); });
    case 5:
      return copy(reader.get_signed_varint(), [&](auto value) { writer.put_signed_varint(value); });
    default:
      return copy(reader.get_text(kTextBytesMax), [&](auto value) { writer.put_text(value); });
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  ByteReader reader(input);
  while (reader.remaining() > 0) {
    const unsigned choice = *reader.get_u8();
    const Bytes before = input.last(reader.remaining());
    ByteWriter writer;
    const bool copied = copy_one(choice, reader, writer);
    const Bytes read = before.first(before.size() - reader.remaining());
    SATCHEL_ASSERT(std::ranges::equal(read, writer.written()));  // both empty after a failed get
    if (!copied) break;
  }
  return 0;
}
