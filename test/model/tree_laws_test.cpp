// The product's tree functions hold every law, and give what the reference model gives.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "store/diff.h"
#include "store/directory.h"
#include "store/split.h"
#include "test/model/model_seed.h"
#include "test/model/product.h"
#include "test/model/random_tree.h"

namespace satchel::model {
namespace {

/// The items of `page` and of all below it, and each level's pages: what the model calls
/// page_levels().
void collect_pages(store::TreeStore& trees, const store::PageId& id, std::vector<Pages>& levels) {
  const auto page = trees.get_directory_page(id);
  REQUIRE(page);
  if (levels.size() <= (*page)->level) levels.resize((*page)->level + 1U);
  for (const store::IndexItem& child : (*page)->children) collect_pages(trees, child.page, levels);
  std::vector<PageItem>& items = levels[(*page)->level].emplace_back();
  for (const store::Entry& entry : (*page)->items) {
    ByteWriter out;
    encode_entry(entry, out);
    items.push_back({entry.name.text(), out.size(), 1, entry.is_directory() ? 1U : 0U});
  }
  for (const store::IndexItem& child : (*page)->children) {
    ByteWriter out;
    out.put_text(child.last_key).put_raw(child.page.bytes);
    out.put_varint(child.summary.entries).put_varint(child.summary.subdirectories).put_u8(0);
    items.push_back(
        {child.last_key, out.size(), child.summary.entries, child.summary.subdirectories});
  }
}

store::AreaOf area_function(std::uint64_t seed) {
  return [rules = random_rules(seed)](const RelativePath& path, store::Kind kind) {
    return static_cast<store::Area>(rules(path.text(), static_cast<Kind>(kind)));
  };
}

template <typename T>
T value_of(Result<T> result) {
  REQUIRE_MESSAGE(result.has_value(), satchel::to_text(result.error()));
  return *std::move(result);
}

TEST_SUITE("model/product") {
  TEST_CASE("the product holds every law and agrees with the model") {
    for (std::uint64_t i = 0; i < model_cases(1500); ++i) {
      const std::uint64_t seed = model_seed() + i;
      CAPTURE(seed);
      store::MemoryTreeStore trees;
      const Verdict verdict = check_random_case(product_functions(trees), seed);
      REQUIRE_MESSAGE(verdict.empty(), verdict);
    }
  }

  TEST_CASE("parts brought up to date are the parts of the new tree") {
    for (std::uint64_t i = 0; i < model_cases(3000); ++i) {
      const std::uint64_t seed = model_seed() + i;
      CAPTURE(seed);
      Rng rng(seed);
      RandomShape shape;
      shape.names = 2 + static_cast<unsigned>(rng.below(6));
      TreeEditor image(empty_tree(), rng);
      image.edit_randomly(30, shape);
      TreeEditor old_tree(image.tree(), rng);
      old_tree.edit_randomly(static_cast<unsigned>(rng.below(15)), shape);
      TreeEditor new_tree(rng.chance(10) ? image.tree() : old_tree.tree(), rng);
      new_tree.edit_randomly(static_cast<unsigned>(rng.below(15)), shape);

      store::MemoryTreeStore trees;
      const store::Root image_root = to_product(trees, image.tree());
      const store::Root old_root = to_product(trees, old_tree.tree());
      const store::Root new_root = to_product(trees, new_tree.tree());
      const store::AreaOf area_of = area_function(seed);
      const auto parts_of = [&](const store::Root& tree) {
        return value_of(split(trees, value_of(diff(trees, image_root, tree)), area_of));
      };
      const store::Parts updated = value_of(
          update_parts(trees, image_root, old_root, parts_of(old_root), new_root, area_of));
      const store::Parts expected = parts_of(new_root);
      for (std::size_t area = 0; area < kAreas; ++area) {
        CAPTURE(area);
        CAPTURE(dump(image.tree()));
        CAPTURE(dump(old_tree.tree()));
        CAPTURE(dump(new_tree.tree()));
        REQUIRE(to_model(trees, updated[area]) == to_model(trees, expected[area]));
        REQUIRE((updated[area] == expected[area]));
      }
    }
  }

  TEST_CASE("walks meet each path that the model lists") {
    for (std::uint64_t i = 0; i < model_cases(300); ++i) {
      const std::uint64_t seed = model_seed() + i;
      CAPTURE(seed);
      Rng rng(seed);
      const Layer first = random_layer(rng);
      const Layer second = random_layer(rng);
      store::MemoryTreeStore trees;
      std::map<std::string, const Node*> in_first;
      std::map<std::string, const Node*> in_second;
      for (const Place& place : list_places(first)) in_first.emplace(place.path, place.node);
      for (const Place& place : list_places(second)) in_second.emplace(place.path, place.node);

      std::vector<std::string> walked;
      REQUIRE(walk_tree(trees, to_product(trees, first), [&](const auto& path, const auto&) {
        walked.push_back(path.text());
        return Result<void>();
      }));
      std::vector<std::string> listed;
      for (const Place& place : list_places(first)) listed.push_back(place.path);
      CHECK(walked == listed);

      REQUIRE(walk_changes(trees, to_product(trees, first), to_product(trees, second),
                           [&](const auto& change) {
                             if (change.path.is_root()) return Result<void>();
                             const auto one = in_first.find(change.path.text());
                             const auto other = in_second.find(change.path.text());
                             CHECK((change.first != nullptr) == (one != in_first.end()));
                             CHECK((change.second != nullptr) == (other != in_second.end()));
                             if (one != in_first.end()) in_first.erase(one);
                             if (other != in_second.end()) in_second.erase(other);
                             return Result<void>();
                           }));
      // What was not reported is the same in both, save for what is inside.
      REQUIRE(in_first.size() == in_second.size());
      for (const auto& [path, node] : in_first) {
        REQUIRE(in_second.contains(path));
        Node one = *node;
        Node other = *in_second.at(path);
        one.children.clear();
        other.children.clear();
        CHECK((one == other));
      }
    }
  }

  TEST_CASE("directories are cut into the model's pages") {
    Rng rng(model_seed());
    const Node directories[] = {wide_directory(rng, 0),
                                wide_directory(rng, 1),
                                wide_directory(rng, 1024),
                                wide_directory(rng, 20'000),
                                heavy_directory(rng, 30, 300'000),
                                heavy_directory(rng, 4000, 3'000'000)};
    for (const Node& directory : directories) {
      store::MemoryTreeStore trees;
      Layer layer = empty_tree();
      layer.root.children = directory.children;
      std::vector<Pages> levels;
      collect_pages(trees, to_product(trees, layer).directory.page, levels);
      CHECK((levels == page_levels(directory_items(directory))));
    }
  }
}

}  // namespace
}  // namespace satchel::model
