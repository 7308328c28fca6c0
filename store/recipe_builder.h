// A recipe as its content streams by: pages leave as they fill, so memory does not grow with size.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "store/recipe.h"

namespace satchel::store {

/// Makes the recipe of a content above 64 KiB out of its chunks and holes in order. A hole costs
/// the logarithm of its size. Not thread-safe.
class RecipeBuilder {
 public:
  /// Stores an encoded recipe page under its id.
  using PutPage = std::function<Result<void>(const PageId&, Bytes)>;
  explicit RecipeBuilder(PutPage put_page);

  /// `bytes` is all of the chunk. Errors: those of PutPage.
  Result<void> append_chunk(const ChunkId& id, Bytes bytes);
  Result<void> append_hole(std::uint64_t bytes);

  struct Finished {
    Recipe recipe;
    LeafHash tree_root{};
  };
  /// Asserts that there is content. The builder is used up.
  Result<Finished> finish();

 private:
  void hash_data(Bytes bytes);
  void hash_hole(std::uint64_t bytes);
  void close_leaf();
  [[nodiscard]] bool is_full(std::uint8_t level) const;
  /// The highest level of which the next `hole_bytes` fill a whole body below the top, if any.
  [[nodiscard]] std::optional<std::uint8_t> find_level_filled(std::uint64_t hole_bytes) const;
  /// Makes room for the next extent of at most `bytes`; how much of it the open span can hold.
  Result<std::uint64_t> room_in_span(std::uint64_t bytes);
  Result<void> append_child(std::uint8_t level, const RecipeBody::Child& child,
                            std::uint64_t bytes);
  /// Puts the open body of `level` as a page and hangs it into the level above.
  Result<void> close_body(std::uint8_t level);
  Result<void> close_bodies_below(std::uint8_t level);

  PutPage put_page_;
  std::uint64_t size_ = 0;
  std::array<RecipeBody, kRecipeLevelMax + 1> bodies_;           // the open one of each level
  std::array<std::uint64_t, kRecipeLevelMax + 1> body_bytes_{};  // what it spans so far
  Sha256 leaf_hash_;
  std::size_t leaf_bytes_ = 0;
  bool leaf_is_hole_ = true;
};

}  // namespace satchel::store
