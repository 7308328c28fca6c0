// The name of a file's bytes: SHA-256 up to 64 KiB, a SHA-256 tree above. docs/format.md,
// section 1.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/sha256.h"
#include "store/ids.h"

namespace satchel::store {

inline constexpr std::size_t kLeafBytes = 64U << 10U;
using LeafHash = std::array<std::byte, 32>;

/// What stands before a leaf when it is hashed.
inline constexpr std::array kLeafPrefix{std::byte{0}};
/// `count` zeros, up to kLeafBytes. Static.
Bytes zero_bytes(std::size_t count);

LeafHash hash_leaf(Bytes leaf);
/// Of `bytes` zeros, 1…kLeafBytes; the full one is computed once.
LeafHash hash_zero_leaf(std::size_t bytes = kLeafBytes);
LeafHash hash_node(const LeafHash& left, const LeafHash& right);
/// The RFC 6962 tree hash of `leaves` (at least one). They may as well be the hashes of equally
/// large perfect subtrees, and a last one of at most that size: the tree over them is the same.
LeafHash hash_leaves(std::span<const LeafHash> leaves);
/// Of 2^level full leaves of zeros, level at most 63; each is computed once.
LeafHash hash_zero_subtree(unsigned level);
/// The tree hash of `bytes` zeros, at least 1. Costs one hash per bit of their count.
LeafHash hash_zeros(std::uint64_t bytes);

/// How many leaves `size` bytes have.
constexpr std::uint64_t count_leaves(std::uint64_t size) {
  return size / kLeafBytes + (size % kLeafBytes != 0 ? 1 : 0);
}

/// The id of a content above 64 KiB from its tree root.
ContentId content_id_of_tree(std::uint64_t size, const LeafHash& tree_root);
/// The id of bytes in memory.
ContentId content_id_of(Bytes bytes);

/// The id of a content that comes in pieces. Zeros cost the logarithm of their count. Not
/// thread-safe.
class ContentHasher {
 public:
  ContentHasher& append(Bytes bytes);
  ContentHasher& append_zeros(std::uint64_t bytes);
  /// Ends the content; the hasher starts a new one.
  ContentId finish();

 private:
  void close_leaf();
  void add_subtree(LeafHash hash, unsigned level);

  std::uint64_t size_ = 0;
  std::vector<std::byte> leaf_;     // of the open leaf, possibly full
  std::vector<LeafHash> subtrees_;  // perfect ones, one for each bit set in leaves_
  std::uint64_t leaves_ = 0;
};

}  // namespace satchel::store
