// One inode of the host, as an entry.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/unique_fd.h"
#include "store/entry.h"
#include "store/tree_store.h"

namespace satchel::store {

/// Opens the directory or, for its bytes, the regular file `name`; follows no symbolic link, waits
/// for no writer of a fifo, and leaves the access time alone where it may.
Result<UniqueFd> open_for_reading(int directory_fd, const std::string& name, int flags);

/// Mode, owner, mtime and xattrs of an open directory or regular file.
Result<Attributes> read_attributes(int fd, const struct stat& status, TreeStore& trees);

/// All of a symbolic link, device, fifo or socket, which is not opened. `name` is the entry's.
/// Errors: ENOENT, EACCES, EIO, and EBUSY (kBusyFile) if it has become a file or directory.
Result<Entry> read_special(int directory_fd, const Name& name, TreeStore& trees);

}  // namespace satchel::store
