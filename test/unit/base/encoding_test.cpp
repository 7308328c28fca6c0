#include "base/encoding.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "test/support/seeded_random.h"

namespace satchel {
namespace {

using ThingId = Digest<struct ThingTag>;

std::string written_hex(const ByteWriter& writer) {
  return to_hex(writer.written());
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

template <typename T>
void check_error(const Result<T>& result, Sat sat) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == EUCLEAN);
  CHECK(result.error().sat == sat);
}

TEST_SUITE("base/encoding") {
  TEST_CASE("fixed numbers are little-endian") {
    ByteWriter writer;
    writer.put_u8(0x01).put_u16(0x0203).put_u32(0x04050607).put_u64(0x08090A0B0C0D0E0FU);
    CHECK(written_hex(writer) ==
          "01"
          "0302"
          "07060504"
          "0f0e0d0c0b0a0908");
    ByteReader reader(writer.written());
    CHECK(*reader.get_u8() == 0x01);
    CHECK(*reader.get_u16() == 0x0203);
    CHECK(*reader.get_u32() == 0x04050607);
    CHECK(*reader.get_u64() == 0x08090A0B0C0D0E0FU);
    CHECK(reader.expect_end());
  }

  TEST_CASE("varints at the edges of each length") {
    struct Row {
      std::uint64_t value;
      std::string expected;
    };
    const Row rows[] = {
        {0, "00"},
        {0x7F, "7f"},
        {0x80, "8001"},
        {0x3FFF, "ff7f"},
        {0x4000, "808001"},
        {std::uint64_t{1} << 63U, "80808080808080808001"},
        {std::numeric_limits<std::uint64_t>::max(), "ffffffffffffffffff01"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.expected);
      ByteWriter writer;
      writer.put_varint(row.value);
      CHECK(written_hex(writer) == row.expected);
      ByteReader reader(writer.written());
      CHECK(*reader.get_varint() == row.value);
      CHECK(reader.remaining() == 0);
    }
  }

  TEST_CASE("a varint has one encoding: over-long, too large and truncated ones are refused") {
    struct Row {
      std::string what;
      std::vector<std::byte> bytes;
    };
    const Row rows[] = {
        {"nothing", {}},
        {"cut after the first byte", bytes_of({0x80})},
        {"zero in two bytes", bytes_of({0x80, 0x00})},
        {"127 in two bytes", bytes_of({0xFF, 0x00})},
        {"zero in ten bytes", bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0})},
        {"bit 64", bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02})},
        {"eleven bytes",
         bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x01})},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      ByteReader reader(row.bytes);
      check_error(reader.get_varint(), Sat::kContradiction);
      CHECK(reader.remaining() == row.bytes.size());
      check_error(reader.get_signed_varint(), Sat::kContradiction);
    }
  }

  TEST_CASE("signed varints are short on both sides of zero") {
    struct Row {
      std::int64_t value;
      std::string expected;
    };
    const Row rows[] = {
        {0, "00"},
        {-1, "01"},
        {1, "02"},
        {-64, "7f"},
        {64, "8001"},
        {std::numeric_limits<std::int64_t>::min(), "ffffffffffffffffff01"},
        {std::numeric_limits<std::int64_t>::max(), "feffffffffffffffff01"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.value);
      ByteWriter writer;
      writer.put_signed_varint(row.value);
      CHECK(written_hex(writer) == row.expected);
      ByteReader reader(writer.written());
      CHECK(*reader.get_signed_varint() == row.value);
    }
  }

  TEST_CASE("strings carry their length, raw bytes and digests do not") {
    ThingId id;
    id.bytes[0] = std::byte{0xAA};
    ByteWriter writer;
    writer.put_text("ab").put_bytes({}).put_raw(as_bytes("xyz")).put_raw(id.bytes);
    CHECK(writer.size() == 2 + 1 + 1 + 3 + 32);
    ByteReader reader(writer.written());
    CHECK(*reader.get_text(2) == "ab");
    CHECK(reader.get_bytes(0)->empty());
    CHECK(as_text(*reader.get_raw(3)) == "xyz");
    CHECK(*reader.get_digest<ThingId>() == id);
    CHECK(reader.expect_end());
  }

  TEST_CASE("a length above the caller's limit is kLimit, one above the input is truncated") {
    ByteWriter writer;
    writer.put_text("abc");
    ByteReader limited(writer.written());
    check_error(limited.get_bytes(2), Sat::kLimit);
    CHECK(limited.remaining() == 4);

    const std::vector<std::byte> cut = bytes_of({3, 'a', 'b'});
    ByteReader reader(cut);
    check_error(reader.get_text(100), Sat::kContradiction);
    CHECK(reader.remaining() == 3);

    // A length near 2^64 must not wrap when it is added to a position.
    ByteWriter huge;
    huge.put_varint(std::numeric_limits<std::uint64_t>::max());
    ByteReader huge_reader(huge.written());
    check_error(huge_reader.get_bytes(std::numeric_limits<std::size_t>::max()),
                Sat::kContradiction);
  }

  TEST_CASE("a count is bounded by what follows it and by the caller") {
    const std::vector<std::byte> bytes = bytes_of({4, 0, 0, 0, 0});
    CHECK(*ByteReader(bytes).get_count(1, 4) == 4);
    check_error(ByteReader(bytes).get_count(2, 4), Sat::kContradiction);
    check_error(ByteReader(bytes).get_count(1, 3), Sat::kLimit);
    ByteReader reader(bytes);
    check_error(reader.get_varint_up_to(3), Sat::kLimit);
    CHECK(reader.remaining() == bytes.size());
  }

  TEST_CASE("every get on too few bytes is truncated and moves nothing") {
    const std::vector<std::byte> one = bytes_of({0xFF});
    ByteReader reader(one);
    check_error(reader.get_u16(), Sat::kContradiction);
    check_error(reader.get_u32(), Sat::kContradiction);
    check_error(reader.get_u64(), Sat::kContradiction);
    check_error(reader.get_raw(2), Sat::kContradiction);
    check_error(reader.get_array<2>(), Sat::kContradiction);
    check_error(reader.get_digest<ThingId>(), Sat::kContradiction);
    check_error(reader.expect_end(), Sat::kContradiction);
    CHECK(*reader.get_u8() == 0xFF);
    check_error(reader.get_u8(), Sat::kContradiction);
    CHECK(reader.expect_end());
  }

  TEST_CASE("a writer that gave its bytes away starts anew") {
    ByteWriter writer;
    writer.put_u8(1);
    CHECK(writer.take() == bytes_of({1}));
    CHECK(writer.size() == 0);
    writer.put_u8(2);
    CHECK(writer.take() == bytes_of({2}));
  }

  TEST_CASE("whatever random bytes decode to encodes to the same bytes") {
    const std::uint64_t seed = test::test_seed(1);
    CAPTURE(seed);
    test::SeededRandom random(seed);
    for (int round = 0; round < 20'000; ++round) {
      std::vector<std::byte> bytes(random.below(12));
      random.fill(bytes);
      ByteReader reader(bytes);
      const Result<std::uint64_t> number = reader.get_varint();
      if (!number) continue;
      ByteWriter writer;
      writer.put_varint(*number).put_raw(*reader.get_raw(reader.remaining()));
      CHECK(writer.take() == bytes);
    }
  }
}

}  // namespace
}  // namespace satchel
