// The laws that tree functions hold, as checks that any implementation can be put to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "test/model/reference_model.h"

namespace satchel::model {

/// An implementation of the tree functions. The model itself is one; a test of the product makes
/// another that converts its arguments and results.
struct Functions {
  std::function<Layer(const Layer& lower, const Layer& upper)> stack;
  std::function<Tree(const Layer&)> flatten;
  std::function<Tree(const std::vector<Layer>&)> compose;
  std::function<Layer(const Tree& below, const Tree& tree)> diff;
  std::function<Parts(const Layer&, const AreaOf&)> split;
  std::function<Layer(const std::vector<Layer>&)> join;
  std::function<Mediation(const Tree& base, const Tree& client, const Tree& server, Side live)>
      mediate;
  std::function<Pages(const std::vector<PageItem>&, unsigned level)> page_cut;
};
Functions model_functions(Bug bug = Bug::kNone);

/// What a check found: empty if the law holds, else what is wrong, with the layers concerned.
using Verdict = std::string;

/// Marks only where format.md section 4 allows them.
Verdict check_layer(const Layer& layer);
/// A layer without marks in which linked file ids have two or more names, all equal.
Verdict check_tree(const Tree& tree);
/// check_tree, and no file id is shared but by links.
Verdict check_distinct_tree(const Tree& tree);

/// stack is associative, the empty layer its identity, its results are layers, and flatten of it is
/// compose, computed all at once or onto a tree.
Verdict check_stack(const Functions& f, const Layer& a, const Layer& b, const Layer& c);
/// compose(below, diff(below, tree)) == tree; diff(tree, tree) is empty; diff is canonical.
Verdict check_diff(const Functions& f, const Tree& below, const Tree& tree);
/// join(split(layer)) == layer in any order of the parts; everything is in exactly one part.
Verdict check_split(const Functions& f, const Layer& layer, const AreaOf& area_of,
                    std::uint64_t seed);
/// Nothing is lost or invented; deterministic; mirrors; the identities; what goes to each side.
Verdict check_mediation(const Functions& f, const Tree& base, const Tree& client,
                        const Tree& server);
/// mediate where one side changed nothing, or both did the same: `changed` as it is, and no
/// conflict.
Verdict check_only_one_changed(const Functions& f, const Tree& base, const Tree& changed);
/// All items in order; no page breaks a limit; each ends only where it has to.
Verdict check_page_cut(const Functions& f, const std::vector<PageItem>& items, unsigned level);

/// Runs check_page_cut on lists at and about the limits.
Verdict check_random_pages(const Functions& f, std::uint64_t seed);
/// Runs all other laws on the random case of `seed`. The case is the same for every implementation.
Verdict check_random_case(const Functions& f, std::uint64_t seed);

}  // namespace satchel::model
