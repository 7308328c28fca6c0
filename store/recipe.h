// Recipes: which chunks and holes make up a content. docs/format.md, section 5.
#pragma once

#include <cstdint>
#include <vector>

#include "store/content_id.h"

namespace satchel::store {

struct Extent {
  std::uint64_t length = 0;      ///< at least 1
  bool is_hole = false;
  ChunkId chunk;
  std::uint64_t chunk_offset = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};

inline constexpr std::uint64_t kRecipeSpanBytes = 16U << 20U;
inline constexpr std::size_t kRecipeChildrenMax = 1024;

/// One page's body. Level 0 has extents and leaf hashes (of leaves that are not all hole), others children.
struct RecipeBody {
  std::uint8_t level = 0;
  std::vector<Extent> extents;
  std::vector<LeafHash> leaves;
  struct Child {
    bool is_hole = false;
    PageId page;
    LeafHash subtree{};
    friend bool operator==(const Child&, const Child&) = default;
  };
  std::vector<Child> children;
  friend bool operator==(const RecipeBody&, const RecipeBody&) = default;
};
/// The top of a recipe.
struct Recipe {
  std::uint64_t size = 0;
  RecipeBody body;
  friend bool operator==(const Recipe&, const Recipe&) = default;
};

std::vector<std::byte> encode_recipe(const Recipe& recipe);
std::vector<std::byte> encode_recipe_page(const RecipeBody& body);
/// Take any bytes; check bounds and that extents fill `span_bytes`. Errors: EUCLEAN, newer format.
Result<Recipe> decode_recipe(Bytes bytes);
Result<RecipeBody> decode_recipe_page(Bytes bytes, std::uint64_t span_bytes);

}  // namespace satchel::store
