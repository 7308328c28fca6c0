// The name of a file's bytes: SHA-256 up to 64 KiB, a SHA-256 tree above. docs/format.md, section 1.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/sha256.h"
#include "store/ids.h"

namespace satchel::store {

inline constexpr std::size_t kLeafBytes = 64U << 10U;
using LeafHash = std::array<std::byte, 32>;

LeafHash hash_leaf(Bytes leaf);
/// Of `bytes` zeros, 1…kLeafBytes; the full one is computed once.
LeafHash hash_zero_leaf(std::size_t bytes = kLeafBytes);
LeafHash hash_node(const LeafHash& left, const LeafHash& right);
/// The RFC 6962 tree hash of `leaves` (at least one).
LeafHash hash_leaves(std::span<const LeafHash> leaves);
/// Of 2^level full leaves of zeros.
LeafHash hash_zero_subtree(unsigned level);
/// The id of a content above 64 KiB from its tree root.
ContentId content_id_of_tree(std::uint64_t size, const LeafHash& tree_root);

/// The id of bytes in memory.
ContentId content_id_of(Bytes bytes);

}  // namespace satchel::store
