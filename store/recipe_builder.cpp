#include "store/recipe_builder.h"

#include <algorithm>
#include <utility>

namespace satchel::store {
namespace {

bool is_all_hole(const RecipeBody& body) {
  return std::ranges::all_of(body.extents, &Extent::is_hole) &&
         std::ranges::all_of(body.children, &RecipeBody::Child::is_hole);
}

}  // namespace

RecipeBuilder::RecipeBuilder(PutPage put_page) : put_page_(std::move(put_page)) {
  for (std::uint8_t level = 0; level <= kRecipeLevelMax; ++level) bodies_.at(level).level = level;
}

Result<void> RecipeBuilder::append_chunk(const ChunkId& id, Bytes bytes) {
  std::uint64_t offset = 0;
  while (!bytes.empty()) {
    SATCHEL_ASSIGN(const std::uint64_t length, room_in_span(bytes.size()));
    bodies_[0].extents.push_back({.length = length, .chunk = id, .chunk_offset = offset});
    hash_data(bytes.first(static_cast<std::size_t>(length)));
    bytes = bytes.subspan(static_cast<std::size_t>(length));
    offset += length;
    body_bytes_[0] += length;
    size_ += length;
  }
  return {};
}

Result<void> RecipeBuilder::append_hole(std::uint64_t bytes) {
  while (bytes > 0) {
    std::uint64_t length = 0;
    if (const auto level = find_level_filled(bytes)) {
      length = recipe_span_bytes(*level);
      const auto parent = static_cast<std::uint8_t>(*level + 1);
      SATCHEL_TRY(close_bodies_below(parent));
      SATCHEL_TRY(append_child(parent, {.is_hole = true}, length));
    } else {
      SATCHEL_ASSIGN(length, room_in_span(bytes));
      std::vector<Extent>& extents = bodies_[0].extents;
      if (extents.empty() || !extents.back().is_hole) extents.push_back({.is_hole = true});
      extents.back().length += length;
      hash_hole(length);
      body_bytes_[0] += length;
    }
    size_ += length;
    bytes -= length;
  }
  return {};
}

Result<RecipeBuilder::Finished> RecipeBuilder::finish() {
  SATCHEL_ASSERT(size_ > 0);
  if (leaf_bytes_ > 0) close_leaf();
  const std::uint8_t top = recipe_level(size_);
  SATCHEL_TRY(close_bodies_below(top));
  Finished finished{.recipe = {.size = size_, .body = std::move(bodies_.at(top))}};
  finished.tree_root = hash_recipe_body(finished.recipe.body, size_);
  return finished;
}

void RecipeBuilder::hash_data(Bytes bytes) {
  while (!bytes.empty()) {
    if (leaf_is_hole_) leaf_hash_.update(kLeafPrefix).update(zero_bytes(leaf_bytes_));
    leaf_is_hole_ = false;
    const std::size_t taken = std::min(bytes.size(), kLeafBytes - leaf_bytes_);
    leaf_hash_.update(bytes.first(taken));
    leaf_bytes_ += taken;
    bytes = bytes.subspan(taken);
    if (leaf_bytes_ == kLeafBytes) close_leaf();
  }
}

void RecipeBuilder::hash_hole(std::uint64_t bytes) {
  while (bytes > 0) {
    const auto taken =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kLeafBytes - leaf_bytes_));
    if (!leaf_is_hole_) leaf_hash_.update(zero_bytes(taken));
    leaf_bytes_ += taken;
    bytes -= taken;
    if (leaf_bytes_ == kLeafBytes) close_leaf();
  }
}

void RecipeBuilder::close_leaf() {
  if (!leaf_is_hole_) bodies_[0].leaves.push_back(leaf_hash_.finish());
  leaf_bytes_ = 0;
  leaf_is_hole_ = true;
}

bool RecipeBuilder::is_full(std::uint8_t level) const {
  return body_bytes_.at(level) == recipe_span_bytes(level);
}

std::optional<std::uint8_t> RecipeBuilder::find_level_filled(std::uint64_t hole_bytes) const {
  std::optional<std::uint8_t> found;
  for (std::uint8_t level = 0; level < kRecipeLevelMax; ++level) {
    const std::uint64_t span = recipe_span_bytes(level);
    // A hole that fills the content so far may be all of it, and then its body is the top.
    const bool is_below_top = size_ > 0 || hole_bytes > span;
    if (hole_bytes >= span && size_ % span == 0 && is_below_top) found = level;
  }
  return found;
}

// A full body stays open until more comes, since it may be the top.
Result<std::uint64_t> RecipeBuilder::room_in_span(std::uint64_t bytes) {
  if (is_full(0)) SATCHEL_TRY(close_body(0));
  return std::min(bytes, kRecipeSpanBytes - body_bytes_[0]);
}

Result<void> RecipeBuilder::append_child(std::uint8_t level, const RecipeBody::Child& child,
                                         std::uint64_t bytes) {
  if (is_full(level)) SATCHEL_TRY(close_body(level));
  bodies_.at(level).children.push_back(child);
  body_bytes_.at(level) += bytes;
  return {};
}

Result<void> RecipeBuilder::close_body(std::uint8_t level) {
  RecipeBody body = std::exchange(bodies_.at(level), RecipeBody{.level = level});
  const std::uint64_t bytes = std::exchange(body_bytes_.at(level), 0);
  RecipeBody::Child child{.is_hole = is_all_hole(body)};
  if (!child.is_hole) {
    const std::vector<std::byte> encoded = encode_recipe_page(body);
    child.page = recipe_page_id(encoded);
    child.subtree = hash_recipe_body(body, bytes);
    SATCHEL_TRY(put_page_(child.page, encoded));
  }
  return append_child(static_cast<std::uint8_t>(level + 1), child, bytes);
}

Result<void> RecipeBuilder::close_bodies_below(std::uint8_t level) {
  for (std::uint8_t lower = 0; lower < level; ++lower) {
    if (body_bytes_.at(lower) > 0) SATCHEL_TRY(close_body(lower));
  }
  return {};
}

}  // namespace satchel::store
