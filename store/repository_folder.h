// The directory that holds a repository: making one, finding it again, and saying when it is away.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string_view>

#include "base/guarded.h"
#include "base/path.h"
#include "base/unique_fd.h"
#include "store/ids.h"

namespace satchel::store {

/// Makes `path` (if missing; else it must be empty) a repository called `id`, durably. What a crash
/// in here left behind counts as empty. Errors: EEXIST (kAlreadyExists), ENOTDIR, EACCES, EROFS
/// (kReadOnly), ENOSPC (kNoSpace), EIO (kIo).
Result<void> make_repository_folder(const HostPath& path, const RepositoryId& id);

/// The id in the `format` file of `path`. Errors: ENOENT (kNotARepository), ENETUNREACH (kOffline:
/// the directory is there but broken, like a mount whose server is gone), ENOTSUP (kNewerFormat),
/// EUCLEAN (kContradiction), EACCES.
Result<RepositoryId> read_repository_format(const HostPath& path);

/// Looks its directory up by path at each use and keeps no descriptor of it: so a directory that
/// went away is noticed, one that is mounted again is used again, and an empty mount point or
/// another repository in its place is never mistaken for it. Thread-safe.
class RepositoryFolder {
 public:
  RepositoryFolder(HostPath path, const RepositoryId& id) : path_(std::move(path)), id_(id) {}

  [[nodiscard]] const HostPath& path() const { return path_; }
  [[nodiscard]] const RepositoryId& id() const { return id_; }

  /// It is there, and still the same repository; usually one stat(). Errors: ENETUNREACH
  /// (kOffline), EUCLEAN (kWrongRepository).
  Result<void> check() const;
  /// The directory `below` (like "packs/ab"), open for reading. Errors: ENOENT, ENOTDIR, EACCES …
  Result<UniqueFd> open_directory(std::string_view below) const;
  /// What a failed call on a file in here (or without a path) means to the caller: away (kOffline)
  /// if check() says so; full and read-only filesystems name the repository and what to do.
  [[nodiscard]] Error explain(Error error) const;
  /// EROFS (kReadOnly), naming the repository.
  [[nodiscard]] Error read_only_error() const;

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  HostPath path_;
  RepositoryId id_;
  mutable Guarded<Identity> verified_;  ///< the directory whose format file was read last
};

}  // namespace satchel::store
