#include "store/content_id.h"

#include <algorithm>
#include <bit>

#include "base/encoding.h"

namespace satchel::store {
namespace {

constexpr unsigned kSubtreeLevelMax = 63;
constexpr std::array<std::byte, kLeafBytes> kZeros{};
constexpr std::array kNodePrefix{std::byte{1}};

Sha256& thread_hash() {
  thread_local Sha256 hash;
  return hash;
}

}  // namespace

Bytes zero_bytes(std::size_t count) {
  SATCHEL_ASSERT(count <= kZeros.size());
  return Bytes(kZeros).first(count);
}

LeafHash hash_leaf(Bytes leaf) {
  return thread_hash().update(kLeafPrefix).update(leaf).finish();
}

LeafHash hash_zero_leaf(std::size_t bytes) {
  SATCHEL_ASSERT(bytes >= 1 && bytes <= kLeafBytes);
  return bytes == kLeafBytes ? hash_zero_subtree(0) : hash_leaf(zero_bytes(bytes));
}

LeafHash hash_node(const LeafHash& left, const LeafHash& right) {
  return thread_hash().update(kNodePrefix).update(left).update(right).finish();
}

// Pairing neighbours level by level, the odd last one going up as it is, gives RFC 6962's tree: its
// left subtrees are the largest perfect ones.
LeafHash hash_leaves(std::span<const LeafHash> leaves) {
  SATCHEL_ASSERT(!leaves.empty());
  std::vector<LeafHash> level(leaves.begin(), leaves.end());
  while (level.size() > 1) {
    const std::size_t pairs = level.size() / 2;
    for (std::size_t i = 0; i < pairs; ++i) level[i] = hash_node(level[2 * i], level[2 * i + 1]);
    if (level.size() % 2 == 1) level[pairs] = level.back();
    level.resize(pairs + level.size() % 2);
  }
  return level.front();
}

LeafHash hash_zero_subtree(unsigned level) {
  static const auto subtrees = [] {
    std::array<LeafHash, kSubtreeLevelMax + 1> hashes{};
    hashes[0] = hash_leaf(kZeros);
    for (std::size_t i = 1; i < hashes.size(); ++i) {
      hashes[i] = hash_node(hashes[i - 1], hashes[i - 1]);
    }
    return hashes;
  }();
  SATCHEL_ASSERT(level <= kSubtreeLevelMax);
  return subtrees[level];
}

LeafHash hash_zeros(std::uint64_t bytes) {
  if (bytes <= kLeafBytes) return hash_zero_leaf(static_cast<std::size_t>(bytes));
  const std::uint64_t left_leaves = std::bit_floor(count_leaves(bytes) - 1);
  return hash_node(hash_zero_subtree(static_cast<unsigned>(std::countr_zero(left_leaves))),
                   hash_zeros(bytes - left_leaves * kLeafBytes));
}

ContentId content_id_of_tree(std::uint64_t size, const LeafHash& tree_root) {
  ByteWriter record;
  record.put_raw(as_bytes("satchel-content-0")).put_u64(size).put_raw(tree_root);
  return {.digest = ContentDigest{sha256(record.written())}, .size = size};
}

ContentId content_id_of(Bytes bytes) {
  if (bytes.empty()) return {};
  if (bytes.size() <= kLeafBytes) {
    return {.digest = ContentDigest{sha256(bytes)}, .size = bytes.size()};
  }
  return ContentHasher().append(bytes).finish();
}

ContentHasher& ContentHasher::append(Bytes bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    // A full leaf is closed only when more comes: a content that ends with its first is hashed
    // plainly.
    if (leaf_.size() == kLeafBytes) close_leaf();
    const std::size_t taken = std::min(bytes.size(), kLeafBytes - leaf_.size());
    if (taken == kLeafBytes && bytes.size() > kLeafBytes) {
      add_subtree(hash_leaf(bytes.first(taken)), 0);
    } else {
      leaf_.insert(leaf_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    bytes = bytes.subspan(taken);
  }
  return *this;
}

ContentHasher& ContentHasher::append_zeros(std::uint64_t bytes) {
  // Up to the end of the open leaf, then the largest subtrees that stand at their place, then the
  // rest.
  const std::uint64_t first = std::min<std::uint64_t>(bytes, kLeafBytes - leaf_.size());
  append(zero_bytes(static_cast<std::size_t>(first)));
  bytes -= first;
  if (bytes == 0) return *this;
  close_leaf();
  while (bytes >= kLeafBytes) {
    const auto aligned = static_cast<unsigned>(std::countr_zero(leaves_));
    const auto fitting = static_cast<unsigned>(std::bit_width(bytes / kLeafBytes) - 1);
    const unsigned level = std::min(aligned, fitting);
    add_subtree(hash_zero_subtree(level), level);
    size_ += std::uint64_t{kLeafBytes} << level;
    bytes -= std::uint64_t{kLeafBytes} << level;
  }
  return append(zero_bytes(static_cast<std::size_t>(bytes)));
}

ContentId ContentHasher::finish() {
  ContentId id;
  if (size_ > 0 && leaves_ == 0) {
    id = {.digest = ContentDigest{sha256(leaf_)}, .size = size_};
  } else if (size_ > 0) {
    if (!leaf_.empty()) close_leaf();
    LeafHash root = subtrees_.back();
    for (std::size_t i = subtrees_.size() - 1; i > 0; --i) root = hash_node(subtrees_[i - 1], root);
    id = content_id_of_tree(size_, root);
  }
  *this = ContentHasher();
  return id;
}

void ContentHasher::close_leaf() {
  add_subtree(hash_leaf(leaf_), 0);
  leaf_.clear();
}

// A binary counter: two subtrees of one size are one of the next.
void ContentHasher::add_subtree(LeafHash hash, unsigned level) {
  const std::uint64_t added = std::uint64_t{1} << level;
  for (std::uint64_t bit = added; (leaves_ & bit) != 0; bit <<= 1U) {
    hash = hash_node(subtrees_.back(), hash);
    subtrees_.pop_back();
  }
  subtrees_.push_back(hash);
  leaves_ += added;
}

}  // namespace satchel::store
