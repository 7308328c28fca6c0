// Import: a directory or an archive becomes a layer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "store/repository_tree_store.h"

namespace satchel::store {

/// What a layer's directories say of their attributes: kOwn for `os` layers; the others inherit
/// them, the root too, so that a staging folder of mode 0700 does not become the root's mode.
enum class DirectoryAttributes : std::uint8_t { kOwn, kInherit };

struct ImportProgress {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_total = 0;  ///< 0 if not known (archives)
};
struct ImportOptions {
  DirectoryAttributes directory_attributes = DirectoryAttributes::kOwn;
  unsigned threads = 0;  ///< 0: one per core
  /// Called from the caller's thread, at most 10 times a second.
  std::function<void(const ImportProgress&)> progress{};
  /// True ends the import with EINTR/kInterrupted, nothing half-written visible. Asked often.
  std::function<bool()> interrupted{};
};
struct ImportResult {
  Root root;
  std::uint64_t files = 0;            ///< every name that is not a directory
  std::uint64_t directories = 0;      ///< below the root
  std::uint64_t bytes = 0;            ///< sizes of regular files, each inode once
  std::vector<std::string> warnings;  ///< at most kImportWarningsMax
};
inline constexpr std::size_t kImportWarningsMax = 100;
/// Deeper trees are refused: E2BIG/kLimit.
inline constexpr std::size_t kImportDepthMax = 1'024;

/// Reads the tree below `path`, other filesystems mounted in it included: hard links, xattrs (so
/// ACLs and capabilities), holes, devices, fifos, sockets, ns times. Equal trees give equal roots;
/// a file with further names outside of the tree is as one without. Marks of other overlays
/// (whiteout devices, opaque xattrs) are kept as what they are. A file that changes while it is
/// read is read again, 3 times in all, then EBUSY/kBusyFile, as for names that come or go.
/// Errors name the path: ENOENT, ENOTDIR, EACCES, EIO, kLimit; and those of Upload.
Result<ImportResult> import_directory(const HostPath& path, Upload& upload, TreeStore& trees,
                                      const ImportOptions& options);

/// Reads an archive of any format and compression that store/archive_reader.h knows, from a
/// descriptor (stdin too). A name twice: the last one counts. A directory that is only implied is
/// 0755, of root, of 1970. Leading slashes are dropped; "..", members below something that is no
/// directory, and hard links to nothing are refused: EBADMSG/kBadArchive, naming the member. Other
/// errors: those of ArchiveReader and Upload.
Result<ImportResult> import_archive(int fd, Upload& upload, TreeStore& trees,
                                    const ImportOptions& options);

}  // namespace satchel::store
