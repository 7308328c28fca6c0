#include "store/content_id.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "test/support/seeded_random.h"

namespace satchel::store {
namespace {

std::vector<std::byte> random_bytes(std::uint64_t seed, std::size_t size) {
  std::vector<std::byte> bytes(size);
  test::SeededRandom(seed).fill(bytes);
  return bytes;
}

/// RFC 6962's own words: split at the largest power of two below the count.
LeafHash tree_hash(std::span<const LeafHash> leaves) {
  if (leaves.size() == 1) return leaves.front();
  std::size_t left = 1;
  while (left * 2 < leaves.size()) left *= 2;
  return hash_node(tree_hash(leaves.first(left)), tree_hash(leaves.subspan(left)));
}

}  // namespace

TEST_SUITE("store/content_id") {
  // From a second implementation of docs/format.md, section 1.
  TEST_CASE("ids are what the format says") {
    struct Row {
      std::string what;
      std::vector<std::byte> bytes;
      std::string digest;
    };
    const auto million = random_bytes(1, 1U << 20U);
    const auto first = [&](std::size_t count) {
      return std::vector<std::byte>(million.begin(),
                                    million.begin() + static_cast<std::ptrdiff_t>(count));
    };
    const Bytes hello = as_bytes("hello");
    const Row rows[] = {
        {"small",
         {hello.begin(), hello.end()},
         "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},
        {"one full leaf", first(65'536),
         "1ebd584fa2a31942b2dfbbda3f53aa00f0e7abe48e88e96c200f0d57845e61a7"},
        {"one byte more", first(65'537),
         "9f023624ed9a4bd62e9eb1dd6835ee2d64d417301fa66d2e24f3709f972a33fb"},
        {"a short last leaf", first(700'001),
         "216051c71dce41af2da4d44173508c0f0c8478a4c3442ed3563b41915f90e48a"},
        {"full leaves", million,
         "123273cd5400aecd09cd7a5d9851166bd10347da4b8f282ad7fd227cd83c1d0b"},
        {"zeros", std::vector<std::byte>(3 * kLeafBytes + 1),
         "d1bf637d87107e8cdab7caca634616d11733cc9a74abad389e45bde8331f4bb5"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CHECK(content_id_of(row.bytes).digest.hex() == row.digest);
      CHECK(content_id_of(row.bytes).size == row.bytes.size());
    }
    CHECK(content_id_of({}) == ContentId{});
  }

  TEST_CASE("the tree over any number of leaves is that of RFC 6962") {
    std::vector<LeafHash> leaves;
    for (unsigned i = 1; i <= 40; ++i) {
      leaves.push_back(hash_leaf(random_bytes(i, 10)));
      CAPTURE(i);
      CHECK(hash_leaves(leaves) == tree_hash(leaves));
    }
  }

  TEST_CASE("the tree over subtrees is the tree over their leaves") {
    std::vector<LeafHash> leaves;
    for (unsigned i = 0; i < 29; ++i) leaves.push_back(hash_leaf(random_bytes(i, 10)));
    std::vector<LeafHash> subtrees;
    for (std::size_t i = 0; i < leaves.size(); i += 8) {
      subtrees.push_back(
          hash_leaves(std::span(leaves).subspan(i, std::min<std::size_t>(8, leaves.size() - i))));
    }
    CHECK(hash_leaves(subtrees) == hash_leaves(leaves));
  }

  TEST_CASE("pieces of any size give the id of the whole") {
    const auto bytes = random_bytes(7, 5 * kLeafBytes + 4711);
    const ContentId whole = content_id_of(bytes);
    for (const std::size_t piece :
         {1'000UL, kLeafBytes - 1, kLeafBytes, kLeafBytes + 1, 200'000UL}) {
      CAPTURE(piece);
      ContentHasher hasher;
      for (Bytes rest = bytes; !rest.empty();) {
        const Bytes next = rest.first(std::min(piece, rest.size()));
        hasher.append(next);
        rest = rest.subspan(next.size());
      }
      CHECK(hasher.finish() == whole);
      CHECK(hasher.append(as_bytes("hello")).finish() == content_id_of(as_bytes("hello")));
    }
  }

  TEST_CASE("zeros count as the bytes that they are") {
    test::SeededRandom random(8);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::byte> bytes;
      ContentHasher hasher;
      for (int run = 0; run < 6; ++run) {
        const auto size = static_cast<std::size_t>(random.one_in(3) ? random.below(3) * kLeafBytes
                                                                    : random.below(6 * kLeafBytes));
        if (random.one_in(2)) {
          bytes.resize(bytes.size() + size);
          hasher.append_zeros(size);
        } else {
          const auto data = random_bytes(random.below(1000), size);
          bytes.insert(bytes.end(), data.begin(), data.end());
          hasher.append(data);
        }
      }
      CAPTURE(round);
      CHECK(hasher.finish() == content_id_of(bytes));
    }
    for (const std::size_t size :
         {1UL, kLeafBytes, kLeafBytes + 1, 7 * kLeafBytes, 9 * kLeafBytes - 5}) {
      CAPTURE(size);
      const std::vector<std::byte> zeros(size);
      std::vector<LeafHash> leaves;
      for (Bytes rest = zeros; !rest.empty();) {
        const Bytes leaf = rest.first(std::min(kLeafBytes, rest.size()));
        leaves.push_back(hash_leaf(leaf));
        rest = rest.subspan(leaf.size());
      }
      CHECK(hash_zeros(size) == hash_leaves(leaves));
    }
  }

  TEST_CASE("the largest file of zeros is hashed at once") {
    constexpr std::uint64_t kHuge = (std::uint64_t{1} << 62U) + 12'345;
    const ContentId id = ContentHasher().append_zeros(kHuge).finish();
    CHECK(id == content_id_of_tree(kHuge, hash_zeros(kHuge)));
  }

  // Without the size in the id, the node above two leaves would be the content of 65 bytes it
  // hashes.
  TEST_CASE("the size belongs to the id") {
    const LeafHash root = hash_leaf(as_bytes("leaf"));
    CHECK(content_id_of_tree(100'000, root) != content_id_of_tree(100'001, root));
  }
}

}  // namespace satchel::store
