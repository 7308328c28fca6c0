#include "store/codec.h"

#include <doctest/doctest.h>

#include <string>

#include "test/support/seeded_random.h"

namespace satchel::store {
namespace {

std::vector<std::byte> random_bytes(std::size_t size) {
  std::vector<std::byte> bytes(size);
  test::SeededRandom(1).fill(bytes);
  return bytes;
}

std::vector<std::byte> zeros(std::size_t size) {
  return std::vector<std::byte>(size);
}

TEST_SUITE("store/codec") {
  TEST_CASE("what was compressed comes back, whatever its size and whether it shrinks or not") {
    for (const std::size_t size : {0U, 1U, 2U, 100U, 4096U, 65536U, 4U << 20U}) {
      CAPTURE(size);
      for (const auto& raw : {zeros(size), random_bytes(size)}) {
        const Encoded encoded = compress(raw);
        CHECK(encoded.bytes.size() <= raw.size());
        const auto back = decompress(encoded.codec, encoded.bytes, raw.size());
        REQUIRE(back);
        CHECK(*back == raw);
      }
    }
  }

  TEST_CASE("zstd is used only where it saves something") {
    CHECK(compress(zeros(4096)).codec == Codec::kZstd);
    CHECK(compress(random_bytes(4096)).codec == Codec::kRaw);
  }

  TEST_CASE("stored bytes that do not give exactly the raw length are corrupted") {
    const Encoded encoded = compress(zeros(4096));
    std::vector<std::byte> cut(encoded.bytes.begin(), encoded.bytes.end() - 1);
    std::vector<std::byte> twice = encoded.bytes;
    twice.insert(twice.end(), encoded.bytes.begin(), encoded.bytes.end());
    std::vector<std::byte> broken = encoded.bytes;
    broken[0] ^= std::byte{1};
    struct Row {
      std::string what;
      Codec codec;
      std::vector<std::byte> stored;
      std::size_t raw_length;
    };
    const Row rows[] = {
        {"zstd, claims less", Codec::kZstd, encoded.bytes, 4095},
        {"zstd, claims more", Codec::kZstd, encoded.bytes, 4097},
        {"zstd, cut", Codec::kZstd, cut, 4096},
        {"zstd, nothing", Codec::kZstd, {}, 4096},
        {"zstd, two frames", Codec::kZstd, twice, 8192},
        {"zstd, no frame", Codec::kZstd, broken, 4096},
        {"raw, short", Codec::kRaw, zeros(3), 4},
        {"raw, long", Codec::kRaw, zeros(5), 4},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      const auto result = decompress(row.codec, row.stored, row.raw_length);
      REQUIRE(!result);
      CHECK(result.error().code == EBADMSG);
      CHECK(result.error().sat == Sat::kCorrupted);
    }
  }

  TEST_CASE("an unknown codec is a newer format") {
    const auto result = decompress(static_cast<Codec>(2), zeros(4), 4);
    REQUIRE(!result);
    CHECK(result.error().sat == Sat::kNewerFormat);
  }
}

}  // namespace
}  // namespace satchel::store
