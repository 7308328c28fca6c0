// The decoders of recipes on any bytes: what is accepted encodes to the very bytes that it came
// from, and can be hashed.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "store/recipe.h"

namespace {

using satchel::Bytes;
namespace store = satchel::store;

void check_body(const store::RecipeBody& body, std::uint64_t span_bytes) {
  (void)store::hash_recipe_body(body, span_bytes);
  if (body.level > 0) return;
  std::uint64_t bytes = 0;
  for (const store::Extent& extent : body.extents) bytes += extent.length;
  SATCHEL_ASSERT(bytes == span_bytes);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  if (const auto recipe = store::decode_recipe(bytes)) {
    SATCHEL_ASSERT(std::ranges::equal(store::encode_recipe(*recipe), bytes));
    check_body(recipe->body, recipe->size);
  }
  for (const std::uint64_t span_bytes :
       {std::uint64_t{100'000}, store::kRecipeSpanBytes, 40 * store::kRecipeSpanBytes}) {
    if (const auto page = store::decode_recipe_page(bytes, span_bytes)) {
      SATCHEL_ASSERT(std::ranges::equal(store::encode_recipe_page(*page), bytes));
      check_body(*page, span_bytes);
    }
  }
  return 0;
}
