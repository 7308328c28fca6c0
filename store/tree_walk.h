// What the walks over trees share: how deep they go, and the path that they are at.
#pragma once

#include <string>

#include "base/path.h"

namespace satchel::store {

/// Walks keep their own stack on the heap, one frame per directory, so that no tree that somebody
/// made up can overflow the thread's.
inline constexpr std::size_t kDepthMax = 4096;
inline constexpr std::size_t kPathBytesMax = 65'535;

/// The path of `name` in `directory` (empty: the root). Errors: E2BIG (kLimit).
Result<std::string> path_in(const std::string& directory, const Name& name);

/// A walk with `depth` frames may go one deeper. Errors: E2BIG (kLimit).
Result<void> check_depth(std::size_t depth);

}  // namespace satchel::store
