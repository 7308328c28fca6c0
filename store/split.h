// split and join: a layer as one layer per area, by redirect rules. docs/format.md, section 4.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>

#include "store/tree_store.h"

namespace satchel::store {

/// The label that the rules give a path at a snapshot.
enum class Area : std::uint8_t { kApp = 0, kSysdata = 1, kData = 2, kMachine = 3 };
inline constexpr std::size_t kAreas = 4;
std::string_view to_text(Area area);

using AreaOf = std::function<Area(const RelativePath&, Kind)>;
using Parts = std::array<Root, kAreas>;  ///< indexed by Area

/// Each entry, mark and own attribute of `layer` in exactly one part.
Result<Parts> split(TreeStore& trees, const Root& layer, const AreaOf& area_of);

/// The union of parts, in any order. Errors: EUCLEAN if two parts both hold a name that is not a
/// mere way.
Result<Root> join(TreeStore& trees, std::span<const Root> parts);

/// split(diff(image, new_tree)) at the cost of the change: `old_parts` must be the parts of
/// `old_tree` over the same image by the same rules. What is equal in old and new tree keeps its
/// old parts unread.
Result<Parts> update_parts(TreeStore& trees, const Root& image, const Root& old_tree,
                           const Parts& old_parts, const Root& new_tree, const AreaOf& area_of);

}  // namespace satchel::store
