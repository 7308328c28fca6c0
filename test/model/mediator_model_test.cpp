// The product's mediation against the model's, on trees in which much was moved, linked and
// replaced.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "test/model/model_seed.h"
#include "test/model/product.h"
#include "test/model/random_tree.h"

namespace satchel::model {
namespace {

/// What people do, with more of what is hard for identity than they really do.
void edit_hard(TreeEditor& editor, Rng& rng, unsigned edits, const RandomShape& shape) {
  static const std::vector<Edit> kEdits = {
      Edit::kRename,     Edit::kRename,        Edit::kRename,
      Edit::kRename,     Edit::kLink,          Edit::kLink,
      Edit::kLink,       Edit::kWrite,         Edit::kWrite,
      Edit::kUnlink,     Edit::kChangeMode,    Edit::kCreate,
      Edit::kTouch,      Edit::kMakeDirectory, Edit::kReplaceDirectory,
      Edit::kRemoveTree, Edit::kChangeKind};
  for (unsigned i = 0; i < edits; ++i) editor.edit(rng.pick(kEdits), shape);
}

TEST_SUITE("model/mediator") {
  TEST_CASE("mediation of moved, linked and replaced names agrees with the model") {
    for (std::uint64_t i = 0; i < model_cases(3000); ++i) {
      const std::uint64_t seed = model_seed() + i;
      CAPTURE(seed);
      Rng rng(seed);
      RandomShape shape;
      shape.names = 2 + static_cast<unsigned>(rng.below(5));
      shape.depth_max = 1 + static_cast<unsigned>(rng.below(4));
      shape.strange_percent = 2;
      TreeEditor base(empty_tree(), rng);
      base.edit_randomly(10, shape);
      edit_hard(base, rng, 20 + static_cast<unsigned>(rng.below(20)), shape);
      TreeEditor client(base.tree(), rng);
      edit_hard(client, rng, static_cast<unsigned>(rng.below(12)), shape);
      TreeEditor server(base.tree(), rng);
      edit_hard(server, rng, static_cast<unsigned>(rng.below(12)), shape);
      store::MemoryTreeStore trees;
      const Functions product = product_functions(trees);
      for (const Side live : {Side::kServer, Side::kClient}) {
        // Throws where product and model differ.
        const Mediation result = product.mediate(base.tree(), client.tree(), server.tree(), live);
        const Verdict verdict = check_distinct_tree(result.merged);
        REQUIRE_MESSAGE(verdict.empty(), verdict);
      }
    }
  }
}

}  // namespace
}  // namespace satchel::model
