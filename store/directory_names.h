// The names in a host directory.
#pragma once

#include <string>
#include <vector>

#include "base/path.h"

namespace satchel::store {

/// All names but "." and "..", in no order. Errors: ENOENT, ENOTDIR, EACCES, EIO (kIo) …
Result<std::vector<std::string>> list_directory_names(const HostPath& path);
/// Of an open directory, which is borrowed. Errors: EIO (kIo) …
Result<std::vector<std::string>> list_directory_names(int directory_fd);

}  // namespace satchel::store
