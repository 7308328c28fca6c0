// Recipes: which chunks and holes make up a content. docs/format.md, section 5.
#pragma once

#include <cstdint>
#include <vector>

#include "store/content_id.h"

namespace satchel::store {

struct Extent {
  std::uint64_t length = 0;  ///< at least 1
  bool is_hole = false;
  ChunkId chunk{};
  std::uint64_t chunk_offset = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};

inline constexpr std::uint64_t kRecipeSpanBytes = 16U << 20U;
inline constexpr std::size_t kRecipeChildrenMax = 1024;
/// Writers leave out holes below 4 KiB, and so stay far below it.
inline constexpr std::size_t kRecipeExtentsMax = 65'536;
inline constexpr std::uint8_t kRecipeLevelMax = 4;

/// How many bytes a body of `level` spans; that of kRecipeLevelMax spans every size.
std::uint64_t recipe_span_bytes(std::uint8_t level);
/// The least level that spans `size`.
std::uint8_t recipe_level(std::uint64_t size);

/// One page's body. Level 0 has extents and leaf hashes (of leaves that are not all hole), others
/// children.
struct RecipeBody {
  std::uint8_t level = 0;
  std::vector<Extent> extents{};
  std::vector<LeafHash> leaves{};
  struct Child {
    bool is_hole = false;
    PageId page{};
    LeafHash subtree{};
    friend bool operator==(const Child&, const Child&) = default;
  };
  std::vector<Child> children{};
  friend bool operator==(const RecipeBody&, const RecipeBody&) = default;
};
/// The top of a recipe.
struct Recipe {
  std::uint64_t size = 0;
  RecipeBody body{};
  friend bool operator==(const Recipe&, const Recipe&) = default;
};

/// A level-0 body's hash of each leaf, those of holes included. Asserts that `body` is well-formed.
std::vector<LeafHash> list_leaf_hashes(const RecipeBody& body, std::uint64_t span_bytes);
/// Which leaves of a level-0 body are all hole.
std::vector<bool> list_hole_leaves(const RecipeBody& body, std::uint64_t span_bytes);
/// The tree hash of a body that spans `span_bytes`: what its parent or the content id must say.
LeafHash hash_recipe_body(const RecipeBody& body, std::uint64_t span_bytes);

std::vector<std::byte> encode_recipe(const Recipe& recipe);
std::vector<std::byte> encode_recipe_page(const RecipeBody& body);
/// The name of an encoded recipe page.
PageId recipe_page_id(Bytes encoded);
/// Take any bytes; check bounds and that extents or children fill `span_bytes` exactly, no hash.
/// Errors: EUCLEAN, kLimit, newer format.
Result<Recipe> decode_recipe(Bytes bytes);
Result<RecipeBody> decode_recipe_page(Bytes bytes, std::uint64_t span_bytes);

}  // namespace satchel::store
