#include "store/recipe.h"

#include <algorithm>
#include <limits>

#include "base/encoding.h"
#include "base/sha256.h"
#include "store/format_error.h"
#include "store/pack.h"

namespace satchel::store {
namespace {

constexpr std::string_view kRecipeMagic = "SRC0";
constexpr std::string_view kPageMagic = "SRP0";
constexpr std::uint64_t kSizeMax = std::numeric_limits<std::int64_t>::max();
constexpr std::uint8_t kHole = 0;
constexpr std::uint8_t kStored = 1;  // a chunk or a page
constexpr std::size_t kExtentBytesMin = 2;

std::uint64_t divide_up(std::uint64_t bytes, std::uint64_t piece_bytes) {
  return bytes / piece_bytes + (bytes % piece_bytes != 0 ? 1 : 0);
}

void encode_body(const RecipeBody& body, ByteWriter& out) {
  if (body.level == 0) {
    out.put_varint(body.extents.size());
    for (const Extent& extent : body.extents) {
      out.put_varint(extent.length).put_u8(extent.is_hole ? kHole : kStored);
      if (!extent.is_hole) out.put_raw(extent.chunk.bytes).put_varint(extent.chunk_offset);
    }
    for (const LeafHash& leaf : body.leaves) out.put_raw(leaf);
    return;
  }
  out.put_varint(body.children.size());
  for (const RecipeBody::Child& child : body.children) {
    out.put_u8(child.is_hole ? kHole : kStored);
    if (!child.is_hole) out.put_raw(child.page.bytes).put_raw(child.subtree);
  }
}

/// Whether an extent or child is stored: its kind byte.
Result<bool> decode_is_stored(ByteReader& in) {
  SATCHEL_ASSIGN(const std::uint8_t kind, in.get_u8());
  if (kind > kStored) return newer_format("recipe item kind");
  return kind == kStored;
}

Result<Extent> decode_extent(ByteReader& in, std::uint64_t bytes_left) {
  Extent extent;
  SATCHEL_ASSIGN(extent.length, in.get_varint());
  if (extent.length == 0) return contradiction("an extent without bytes");
  if (extent.length > bytes_left) return contradiction("extents reach beyond their span");
  SATCHEL_ASSIGN(const bool is_stored, decode_is_stored(in));
  extent.is_hole = !is_stored;
  if (extent.is_hole) return extent;
  SATCHEL_ASSIGN(extent.chunk, in.get_digest<ChunkId>());
  SATCHEL_ASSIGN(extent.chunk_offset, in.get_varint());
  if (extent.chunk_offset > kRawBytesMax || extent.length > kRawBytesMax - extent.chunk_offset) {
    return contradiction("an extent reaches beyond its chunk");
  }
  return extent;
}

Result<void> decode_extents(ByteReader& in, std::uint64_t span_bytes, RecipeBody& body) {
  SATCHEL_ASSIGN(const std::size_t count, in.get_count(kExtentBytesMin, kRecipeExtentsMax));
  body.extents.reserve(count);
  std::uint64_t bytes_left = span_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    SATCHEL_ASSIGN(Extent extent, decode_extent(in, bytes_left));
    bytes_left -= extent.length;
    body.extents.push_back(extent);
  }
  if (bytes_left != 0) return contradiction("extents do not fill their span");
  const std::vector<bool> holes = list_hole_leaves(body, span_bytes);
  const auto stored = static_cast<std::size_t>(std::ranges::count(holes, false));
  body.leaves.reserve(stored);
  for (std::size_t i = 0; i < stored; ++i) {
    SATCHEL_ASSIGN(const LeafHash leaf, in.get_array<sizeof(LeafHash)>());
    body.leaves.push_back(leaf);
  }
  return {};
}

Result<void> decode_children(ByteReader& in, std::uint64_t span_bytes, RecipeBody& body) {
  SATCHEL_ASSIGN(const std::size_t count, in.get_count(1, kRecipeChildrenMax));
  const auto child_level = static_cast<std::uint8_t>(body.level - 1);
  if (count != divide_up(span_bytes, recipe_span_bytes(child_level))) {
    return contradiction("recipe pages do not fill their span");
  }
  body.children.resize(count);
  for (RecipeBody::Child& child : body.children) {
    SATCHEL_ASSIGN(const bool is_stored, decode_is_stored(in));
    child.is_hole = !is_stored;
    if (child.is_hole) continue;
    SATCHEL_ASSIGN(child.page, in.get_digest<PageId>());
    SATCHEL_ASSIGN(child.subtree, in.get_array<sizeof(LeafHash)>());
  }
  return {};
}

Result<RecipeBody> decode_body(ByteReader& in, std::uint64_t span_bytes) {
  RecipeBody body;
  SATCHEL_ASSIGN(body.level, in.get_u8());
  if (body.level > kRecipeLevelMax) return contradiction("a recipe of too many levels");
  if (span_bytes > recipe_span_bytes(body.level)) {
    return contradiction("a recipe page for less than its span");
  }
  SATCHEL_TRY(body.level == 0 ? decode_extents(in, span_bytes, body)
                              : decode_children(in, span_bytes, body));
  SATCHEL_TRY(in.expect_end());
  return body;
}

Result<void> expect_magic(ByteReader& in, std::string_view magic) {
  SATCHEL_ASSIGN(const Bytes found, in.get_raw(magic.size()));
  if (as_text(found) != magic) return newer_format("recipe format");
  return {};
}

/// The bytes of child `index`, of which the last may be shorter.
std::uint64_t child_span_bytes(const RecipeBody& body, std::size_t index,
                               std::uint64_t span_bytes) {
  const std::uint64_t full = recipe_span_bytes(static_cast<std::uint8_t>(body.level - 1));
  return std::min(full, span_bytes - index * full);
}

}  // namespace

std::uint64_t recipe_span_bytes(std::uint8_t level) {
  constexpr unsigned kLevelBits = 10;
  SATCHEL_ASSERT(level <= kRecipeLevelMax);
  if (level == kRecipeLevelMax) return std::numeric_limits<std::uint64_t>::max();
  return kRecipeSpanBytes << (kLevelBits * level);
}

std::uint8_t recipe_level(std::uint64_t size) {
  std::uint8_t level = 0;
  while (size > recipe_span_bytes(level)) ++level;
  return level;
}

std::vector<bool> list_hole_leaves(const RecipeBody& body, std::uint64_t span_bytes) {
  std::vector<bool> is_hole(static_cast<std::size_t>(count_leaves(span_bytes)), true);
  std::uint64_t start = 0;
  for (const Extent& extent : body.extents) {
    const std::uint64_t end = start + extent.length;
    for (std::uint64_t leaf = start / kLeafBytes; !extent.is_hole && leaf * kLeafBytes < end;
         ++leaf) {
      is_hole[static_cast<std::size_t>(leaf)] = false;
    }
    start = end;
  }
  return is_hole;
}

std::vector<LeafHash> list_leaf_hashes(const RecipeBody& body, std::uint64_t span_bytes) {
  const std::vector<bool> is_hole = list_hole_leaves(body, span_bytes);
  std::vector<LeafHash> hashes;
  hashes.reserve(is_hole.size());
  std::size_t stored = 0;
  for (std::size_t i = 0; i < is_hole.size(); ++i) {
    const std::uint64_t bytes = std::min<std::uint64_t>(kLeafBytes, span_bytes - i * kLeafBytes);
    hashes.push_back(is_hole[i] ? hash_zero_leaf(static_cast<std::size_t>(bytes))
                                : body.leaves.at(stored++));
  }
  return hashes;
}

LeafHash hash_recipe_body(const RecipeBody& body, std::uint64_t span_bytes) {
  if (body.level == 0) return hash_leaves(list_leaf_hashes(body, span_bytes));
  std::vector<LeafHash> hashes;
  hashes.reserve(body.children.size());
  for (std::size_t i = 0; i < body.children.size(); ++i) {
    const RecipeBody::Child& child = body.children[i];
    hashes.push_back(child.is_hole ? hash_zeros(child_span_bytes(body, i, span_bytes))
                                   : child.subtree);
  }
  return hash_leaves(hashes);
}

std::vector<std::byte> encode_recipe(const Recipe& recipe) {
  ByteWriter out;
  out.put_raw(as_bytes(kRecipeMagic)).put_varint(recipe.size).put_u8(recipe.body.level);
  encode_body(recipe.body, out);
  return out.take();
}

std::vector<std::byte> encode_recipe_page(const RecipeBody& body) {
  ByteWriter out;
  out.put_raw(as_bytes(kPageMagic)).put_u8(body.level);
  encode_body(body, out);
  return out.take();
}

PageId recipe_page_id(Bytes encoded) {
  return PageId{sha256(encoded)};
}

Result<Recipe> decode_recipe(Bytes bytes) {
  ByteReader in(bytes);
  SATCHEL_TRY(expect_magic(in, kRecipeMagic));
  Recipe recipe;
  SATCHEL_ASSIGN(recipe.size, in.get_varint_up_to(kSizeMax));
  if (recipe.size == 0) return contradiction("a recipe for nothing");
  SATCHEL_ASSIGN(recipe.body, decode_body(in, recipe.size));
  if (recipe.body.level != recipe_level(recipe.size)) {
    return contradiction("a recipe with more levels than it needs");
  }
  return recipe;
}

Result<RecipeBody> decode_recipe_page(Bytes bytes, std::uint64_t span_bytes) {
  ByteReader in(bytes);
  SATCHEL_TRY(expect_magic(in, kPageMagic));
  return decode_body(in, span_bytes);
}

}  // namespace satchel::store
