#include "store/stack.h"

#include "store/layer_merge.h"
#include "store/links.h"

namespace satchel::store {
namespace {

Result<Root> put_all_links_right(TreeStore& trees, const Root& root) {
  SATCHEL_ASSIGN(const auto links, list_links(trees, root.links));
  std::set<FileId> file_ids;
  for (const LinkItem& link : links) file_ids.insert(link.file_id);
  return put_links_right(trees, root, file_ids);
}

}  // namespace

Result<Root> stack(TreeStore& trees, const Root& lower, const Root& upper) {
  if (lower == empty_layer()) return upper;
  if (upper == empty_layer()) return lower;
  SATCHEL_ASSIGN(MergedLayer merged, merge_layers(trees, lower, upper, Marks::kKeep));
  return std::move(merged.root);
}

Result<Root> flatten(TreeStore& trees, const Root& layer) {
  SATCHEL_ASSIGN(const Root tree, drop_marks(trees, layer));
  return put_all_links_right(trees, tree);
}

Result<Root> compose(TreeStore& trees, std::span<const Root> layers) {
  if (layers.empty()) return empty_tree();
  SATCHEL_ASSIGN(Root composed, drop_marks(trees, layers.front()));
  // Links are put right once, at the end: names that differ after one layer may agree after the
  // next.
  for (const Root& layer : layers.subspan(1)) {
    SATCHEL_ASSIGN(MergedLayer merged, merge_layers(trees, composed, layer, Marks::kDrop));
    composed = std::move(merged.root);
  }
  return put_all_links_right(trees, composed);
}

Result<Root> compose_onto(TreeStore& trees, const Root& tree, std::span<const Root> layers) {
  Root composed = tree;
  std::set<FileId> touched_links;
  for (const Root& layer : layers) {
    SATCHEL_ASSIGN(MergedLayer merged, merge_layers(trees, composed, layer, Marks::kDrop));
    composed = std::move(merged.root);
    touched_links.merge(merged.touched_links);
  }
  return put_links_right(trees, composed, touched_links);
}

}  // namespace satchel::store
