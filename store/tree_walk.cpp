#include "store/tree_walk.h"

#include "store/format_error.h"

namespace satchel::store {

Result<std::string> path_in(const std::string& directory, const Name& name) {
  if (directory.empty()) return name.text();
  std::string path;
  path.reserve(directory.size() + 1 + name.text().size());
  path += directory;
  path += '/';
  path += name.text();
  if (path.size() > kPathBytesMax) return beyond_limit("a path is longer than 65535 bytes");
  return path;
}

Result<void> check_depth(std::size_t depth) {
  if (depth < kDepthMax) return {};
  return beyond_limit("directories are nested more than 4096 deep");
}

}  // namespace satchel::store
