#include "store/recipe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/encoding.h"
#include "store/pack.h"
#include "store/recipe_builder.h"
#include "test/support/seeded_random.h"

namespace satchel::store {

std::ostream& operator<<(std::ostream& out, const Extent& extent) {
  return out << extent.length << (extent.is_hole ? " hole" : " of " + extent.chunk.hex());
}

namespace {

constexpr std::uint64_t kMiB = 1U << 20U;
constexpr std::uint64_t kGiB = 1U << 30U;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40U;

/// Pages that a builder put.
struct Pages {
  std::map<PageId, std::vector<std::byte>> by_id;
  RecipeBuilder::PutPage put() {
    return [this](const PageId& id, Bytes page) -> Result<void> {
      by_id.emplace(id, std::vector<std::byte>(page.begin(), page.end()));
      return {};
    };
  }
};

struct Run {
  std::uint64_t bytes;
  bool is_hole;
};

/// Adds runs of data (in chunks of 100,000) and holes to a builder and to a hasher.
RecipeBuilder::Finished build(const std::vector<Run>& runs, Pages& pages, ContentHasher& hasher) {
  RecipeBuilder builder(pages.put());
  std::uint64_t seed = 0;
  for (const Run& run : runs) {
    if (run.is_hole) {
      REQUIRE(builder.append_hole(run.bytes).has_value());
      hasher.append_zeros(run.bytes);
      continue;
    }
    for (std::uint64_t rest = run.bytes; rest > 0;) {
      std::vector<std::byte> chunk(
          static_cast<std::size_t>(std::min<std::uint64_t>(rest, 100'000)));
      test::SeededRandom(++seed).fill(chunk);
      REQUIRE(builder.append_chunk(ChunkId{sha256(chunk)}, chunk).has_value());
      hasher.append(chunk);
      rest -= chunk.size();
    }
  }
  auto finished = builder.finish();
  REQUIRE(finished.has_value());
  return *std::move(finished);
}

/// All extents from left to right, holes joined; checks each page against its parent.
void list_extents(const RecipeBody& body, std::uint64_t span_bytes, const Pages& pages,
                  std::vector<Extent>& extents) {
  const auto add = [&](const Extent& extent) {
    if (extent.is_hole && !extents.empty() && extents.back().is_hole) {
      extents.back().length += extent.length;
    } else {
      extents.push_back(extent);
    }
  };
  for (const Extent& extent : body.extents) add(extent);
  for (std::size_t i = 0; i < body.children.size(); ++i) {
    const std::uint64_t full = recipe_span_bytes(static_cast<std::uint8_t>(body.level - 1));
    const std::uint64_t bytes = std::min(full, span_bytes - i * full);
    if (body.children[i].is_hole) {
      add({.length = bytes, .is_hole = true});
      continue;
    }
    const auto& encoded = pages.by_id.at(body.children[i].page);
    const auto page = decode_recipe_page(encoded, bytes);
    REQUIRE(page.has_value());
    CHECK(encode_recipe_page(*page) == encoded);
    CHECK(hash_recipe_body(*page, bytes) == body.children[i].subtree);
    list_extents(*page, bytes, pages, extents);
  }
}

std::vector<Run> runs_of(const std::vector<Extent>& extents) {
  std::vector<Run> runs;
  for (const Extent& extent : extents) {
    if (runs.empty() || extent.is_hole || runs.back().is_hole) runs.push_back({0, extent.is_hole});
    runs.back().bytes += extent.length;
  }
  return runs;
}

std::string text_of(const std::vector<Run>& runs) {
  std::string text;
  for (const Run& run : runs) text += (run.is_hole ? "h" : "d") + std::to_string(run.bytes) + " ";
  return text;
}

Recipe recipe_of_one_extent(const Extent& extent) {
  Recipe recipe{.size = extent.length, .body = {.extents = {extent}}};
  if (!extent.is_hole) recipe.body.leaves.resize(count_leaves(extent.length));
  return recipe;
}

}  // namespace

TEST_SUITE("store/recipe") {
  TEST_CASE("a recipe says where each run is, and hashes to the content id") {
    struct Row {
      std::string what;
      std::vector<Run> runs;
      int level;
    };
    const Row rows[] = {
        {"one chunk", {{70'000, false}}, 0},
        {"data, hole, data", {{300'000, false}, {5 * kMiB, true}, {123'456, false}}, 0},
        {"a hole at either end", {{77'777, true}, {200'000, false}, {99'999, true}}, 0},
        {"just a span", {{16 * kMiB, false}}, 0},
        {"just a span of hole", {{16 * kMiB, true}}, 0},
        {"a span and a byte", {{16 * kMiB, true}, {1, false}}, 1},
        {"chunks over the edge of spans", {{16 * kMiB - 50'000, true}, {17 * kMiB, false}}, 1},
        {"a hole over the edge of spans",
         {{100'000, false}, {20 * kMiB, true}, {100'000, false}},
         1},
        {"spans of hole between data", {{100'000, false}, {kGiB, true}, {100'000, false}}, 1},
        {"a full page of spans", {{16 * kGiB, true}}, 1},
        {"a full page of spans and a byte", {{16 * kGiB, true}, {1, false}}, 2},
        {"a terabyte with three islands",
         {{kTiB / 3, true},
          {500'000, false},
          {kTiB / 3, true},
          {1, false},
          {kTiB / 3, true},
          {kMiB, false}},
         2},
        {"hole after full pages", {{100'000, false}, {32 * kGiB, true}}, 2},
        {"an exabyte", {{kTiB << 20U, true}, {100'000, false}}, 4},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      Pages pages;
      ContentHasher hasher;
      const auto finished = build(row.runs, pages, hasher);
      CHECK(int{finished.recipe.body.level} == row.level);
      CHECK(content_id_of_tree(finished.recipe.size, finished.tree_root) == hasher.finish());
      CHECK(hash_recipe_body(finished.recipe.body, finished.recipe.size) == finished.tree_root);
      CHECK(pages.by_id.size() < 20);

      const auto encoded = encode_recipe(finished.recipe);
      const auto decoded = decode_recipe(encoded);
      REQUIRE(decoded.has_value());
      CHECK((*decoded == finished.recipe));
      std::vector<Extent> extents;
      list_extents(decoded->body, decoded->size, pages, extents);
      CHECK(text_of(runs_of(extents)) == text_of(row.runs));
    }
  }

  TEST_CASE("random runs of data and holes hash to their content id") {
    test::SeededRandom random(test::test_seed(11));
    for (int round = 0; round < 20; ++round) {
      std::vector<Run> runs = {{70'000, false}};
      for (std::uint64_t count = 1 + random.below(6); count > 0; --count) {
        const std::uint64_t edge = random.below(4) * 16 * kMiB;
        const bool is_hole = !runs.back().is_hole;
        runs.push_back({(is_hole ? edge : 0) + 1 + random.below(2 * kMiB), is_hole});
      }
      CAPTURE(text_of(runs));
      Pages pages;
      ContentHasher hasher;
      const auto finished = build(runs, pages, hasher);
      CHECK(content_id_of_tree(finished.recipe.size, finished.tree_root) == hasher.finish());
    }
  }

  TEST_CASE("bad recipes are refused") {
    const Extent chunk{.length = 100'000, .chunk = ChunkId{sha256(as_bytes("x"))}};
    const auto good = encode_recipe(recipe_of_one_extent(chunk));
    REQUIRE(decode_recipe(good).has_value());
    const auto refused_as = [](const std::vector<std::byte>& bytes) {
      const auto decoded = decode_recipe(bytes);
      REQUIRE_FALSE(decoded.has_value());
      return decoded.error().sat;
    };
    for (std::size_t size = 0; size < good.size(); ++size) {
      CAPTURE(size);
      CHECK(refused_as({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}) ==
            Sat::kContradiction);
    }
    auto longer = good;
    longer.push_back(std::byte{0});
    CHECK(refused_as(longer) == Sat::kContradiction);
    auto other_format = good;
    other_format[3] = std::byte{'9'};
    CHECK(refused_as(other_format) == Sat::kNewerFormat);

    auto recipe = recipe_of_one_extent(chunk);
    recipe.size = 100'001;
    CHECK(refused_as(encode_recipe(recipe)) == Sat::kContradiction);
    recipe.size = 99'999;
    CHECK(refused_as(encode_recipe(recipe)) == Sat::kContradiction);
    recipe = recipe_of_one_extent(chunk);
    recipe.body.extents[0].chunk_offset = kRawBytesMax - 99'999;
    CHECK(refused_as(encode_recipe(recipe)) == Sat::kContradiction);
    recipe = {.size = 100'000, .body = {.level = 1, .children = {{.is_hole = true}}}};
    CHECK(refused_as(encode_recipe(recipe)) == Sat::kContradiction);
    recipe = {.size = 20 * kMiB, .body = {.level = 1, .children = {{.is_hole = true}}}};
    CHECK(refused_as(encode_recipe(recipe)) == Sat::kContradiction);
    recipe = {.size = 1, .body = {.level = 5, .children = {{.is_hole = true}}}};
    CHECK(refused_as(encode_recipe(recipe)) == Sat::kContradiction);
  }

  TEST_CASE("an unknown kind of extent is a newer format") {
    ByteWriter out;
    out.put_raw(as_bytes("SRC0")).put_varint(5).put_u8(0).put_varint(1).put_varint(5).put_u8(2);
    const auto decoded = decode_recipe(out.written());
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().sat == Sat::kNewerFormat);
  }
}

}  // namespace satchel::store
