#include "store/chunker.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "base/sha256.h"
#include "test/support/seeded_random.h"

namespace satchel::store {
namespace {

std::vector<std::byte> random_bytes(std::uint64_t seed, std::size_t size) {
  std::vector<std::byte> bytes(size);
  test::SeededRandom(seed).fill(bytes);
  return bytes;
}

std::vector<std::size_t> chunk_sizes(Bytes bytes) {
  std::vector<std::size_t> sizes;
  while (!bytes.empty()) {
    sizes.push_back(first_chunk_bytes(bytes));
    bytes = bytes.subspan(sizes.back());
  }
  return sizes;
}

std::set<Sha256Value> chunks_of(Bytes bytes) {
  std::set<Sha256Value> chunks;
  for (const std::size_t size : chunk_sizes(bytes)) {
    chunks.insert(sha256(bytes.first(size)));
    bytes = bytes.subspan(size);
  }
  return chunks;
}

}  // namespace

TEST_SUITE("store/chunker") {
  // From a second implementation of docs/format.md, section 5.
  TEST_CASE("bytes are cut as the format says") {
    const std::vector<std::size_t> expected = {16614, 19135, 21874, 17826, 17499, 30270, 19069,
                                               4198,  17233, 28524, 17425, 27805, 17594, 23717,
                                               20629, 14796, 16793, 19716, 21423, 17962};
    auto sizes = chunk_sizes(random_bytes(1, 1U << 20U));
    CHECK(sizes.size() == 53);
    CHECK(sizes.back() == 1398);
    sizes.resize(expected.size());
    CHECK(sizes == expected);
  }

  TEST_CASE("a chunk is never below the minimum, save the last, nor above the maximum") {
    const ChunkerParameters parameters;
    const auto sizes = chunk_sizes(random_bytes(2, 4U << 20U));
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      CHECK(sizes[i] >= parameters.bytes_min);
      CHECK(sizes[i] <= parameters.bytes_max);
    }
    CHECK(first_chunk_bytes({}) == 0);
    CHECK(first_chunk_bytes(random_bytes(3, 1)) == 1);
    CHECK(first_chunk_bytes(random_bytes(3, parameters.bytes_min)) == parameters.bytes_min);
  }

  TEST_CASE("runs of one byte are cut at the maximum") {
    for (const int value : {0x00, 0x20, 0x7F, 0xFF}) {
      CAPTURE(value);
      const std::vector<std::byte> run(200'000, static_cast<std::byte>(value));
      CHECK(first_chunk_bytes(run) == ChunkerParameters().bytes_max);
    }
  }

  TEST_CASE("the mean chunk is near the average") {
    constexpr std::size_t kBytes = 16U << 20U;
    const std::size_t mean = kBytes / chunk_sizes(random_bytes(4, kBytes)).size();
    CHECK(mean > ChunkerParameters().bytes_average * 3 / 4);
    CHECK(mean < ChunkerParameters().bytes_average * 3 / 2);
  }

  TEST_CASE("a byte put in changes the few chunks around it") {
    auto bytes = random_bytes(5, 4U << 20U);
    const auto before = chunks_of(bytes);
    for (const std::size_t position : {std::size_t{0}, std::size_t{100'000}, bytes.size() / 2}) {
      CAPTURE(position);
      auto changed = bytes;
      changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(position), std::byte{7});
      const auto after = chunks_of(changed);
      std::vector<Sha256Value> kept;
      std::ranges::set_intersection(before, after, std::back_inserter(kept));
      CHECK(kept.size() + 4 >= before.size());
    }
  }

  TEST_CASE("bytes after the maximum do not matter") {
    auto bytes = random_bytes(6, 300'000);
    const std::size_t whole = first_chunk_bytes(bytes);
    bytes.resize(ChunkerParameters().bytes_max);
    CHECK(first_chunk_bytes(bytes) == whole);
  }
}

}  // namespace satchel::store
