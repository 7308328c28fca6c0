// Whether an object's bytes are still those that were verified, without reading them.
#pragma once

#include <sys/stat.h>

#include <string>

namespace satchel::store {

// What an object's inode looked like when its bytes were verified (size, mtime, ctime, inode
// number) is kept beside it as the target of a symbolic link `<name>.ok`: read by one system call,
// replaced by one rename, and no data block. An xattr would not do, for setting one changes the
// ctime. Where there are no symbolic links, objects are hashed at each open.

/// The record of `name` in the directory is there and `status` is what it says.
bool is_trusted(int directory_fd, const std::string& name, const struct stat& status);
/// Replaces the record. To fail costs time only, at the next open, so there is no error.
void record_trust(int directory_fd, const std::string& name, const struct stat& status);
void forget_trust(int directory_fd, const std::string& name);

}  // namespace satchel::store
