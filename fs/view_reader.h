// Reads a view from inside the process that serves it, without the kernel.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "fs/view.h"

namespace satchel::fs {

/// Paths are followed as in a chroot of the view: symbolic links lead nowhere else. Borrows the
/// view, which may be mounted or not; thread-safe.
class ViewReader {
 public:
  enum class LastLink { kFollow, kKeep };

  explicit ViewReader(View& view) : view_(view) {}

  /// st_mode of what is there; none: nothing is. Errors: ELOOP, those of View.
  [[nodiscard]] Result<std::optional<mode_t>> find_mode(const RelativePath& path,
                                                        LastLink last) const;
  /// The same with all that stat(2) says.
  [[nodiscard]] Result<std::optional<NodeStat>> find_stat(const RelativePath& path,
                                                          LastLink last) const;
  /// The names in a directory, ascending. Errors: ENOENT, ENOTDIR, EFBIG/kLimit (more than
  /// `names_max`), those of View.
  [[nodiscard]] Result<std::vector<Name>> list(const RelativePath& directory,
                                               std::size_t names_max) const;
  struct Item {
    Name name;
    mode_t type = 0;  ///< the S_IFMT bits
  };
  /// The same with what each name is.
  [[nodiscard]] Result<std::vector<Item>> list_items(const RelativePath& directory,
                                                     std::size_t names_max) const;
  /// A whole file; a symbolic link in the place of the file is not followed. Errors: ENOENT, ELOOP
  /// (a link), EINVAL (no regular file), EFBIG/kLimit (longer than `bytes_max`), those of View.
  [[nodiscard]] Result<std::string> read_file(const RelativePath& file,
                                              std::size_t bytes_max) const;
  /// Errors: ENOENT, EINVAL (no symbolic link), those of View.
  [[nodiscard]] Result<std::string> read_link(const RelativePath& link) const;

 private:
  View& view_;
};

}  // namespace satchel::fs
