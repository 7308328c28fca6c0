// Import: a directory or an archive becomes a layer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "store/repository_tree_store.h"

namespace satchel::store {

enum class DirectoryAttributes : std::uint8_t { kOwn, kInherit };  ///< kOwn for `os` layers only

struct ImportProgress {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_total = 0;   ///< 0 if not known (archives)
};
struct ImportOptions {
  DirectoryAttributes directory_attributes = DirectoryAttributes::kOwn;
  unsigned threads = 0;            ///< 0: one per core
  std::function<void(const ImportProgress&)> progress;  ///< called from one thread at most 10 times a second
  std::function<bool()> interrupted;                    ///< true ends the import with EINTR/kInterrupted, nothing half-written visible
};
struct ImportResult {
  Root root;
  std::uint64_t files = 0;         ///< every name that is not a directory
  std::uint64_t directories = 0;
  std::uint64_t bytes = 0;         ///< sizes of regular files, each inode once
  std::vector<std::string> warnings;
};

/// Reads the tree below `path` (one filesystem at a time is not required; sockets are kept as entries). Hard links, xattrs, ACLs, capabilities,
/// sparse files, devices, ns times. Equal trees give equal roots. A file that changes while it is read is read again, 3 times, then kBusyFile.
/// Errors: ENOENT, EACCES (naming the path), EIO, ENOSPC …
Result<ImportResult> import_directory(const HostPath& path, Upload& upload, TreeStore& trees, const ImportOptions& options);

/// Reads an archive of any format and compression that libarchive knows, from a descriptor (stdin too). A name twice: the last one counts; paths with ".."
/// or through symlinks are refused. Errors: EBADMSG/kBadArchive (truncated, malformed, naming the member), and as above.
Result<ImportResult> import_archive(int fd, Upload& upload, TreeStore& trees, const ImportOptions& options);

}  // namespace satchel::store
