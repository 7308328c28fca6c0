// A first look at a tree on the host: how much it is, and which names are one inode.
#pragma once

#include <sys/stat.h>

#include <map>
#include <utility>

#include "store/import/import_meter.h"
#include "store/import/linked_file.h"

namespace satchel::store {

/// An inode of the host.
using HostInode = std::pair<dev_t, ino_t>;
inline HostInode inode_of(const struct stat& status) {
  return {status.st_dev, status.st_ino};
}

struct HostSurvey {
  std::uint64_t bytes = 0;                ///< of regular files, each inode once
  std::map<HostInode, LinkedFile> links;  ///< all that the host says have several names
};

/// Names in the directory, in bytewise order. Errors: ENAMETOOLONG, EIO …
Result<std::vector<Name>> list_names_sorted(int directory_fd);

/// Looks at every name below an open directory. A tree's links are known only when all of it has
/// been seen, and its directories can be written only then: hence this look before the import.
/// Errors have the path from `root_path`, which is only for that: EACCES, ENOENT, kLimit (depth) …
Result<HostSurvey> survey_host_tree(int root_fd, const std::string& root_path, ImportMeter& meter);

/// `error` with a path, unless it has one.
Error error_at(Error error, const std::string& path);

}  // namespace satchel::store
