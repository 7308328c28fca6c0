// Names of an imported tree that are one inode.
#pragma once

#include <string>

#include "store/format_error.h"
#include "store/page.h"

namespace satchel::store {

/// What the names of one inode say together: the file id of the first of them, as bytes go, names
/// it, so that equal trees give equal ids in whatever order they are read. A value.
class LinkedFile {
 public:
  void add_name(const std::string& path, const FileId& default_id) {
    if (names_ == 0 || path < first_path_) {
      first_path_ = path;
      file_id_ = default_id;
    }
    ++names_;
  }
  [[nodiscard]] std::size_t names() const { return names_; }
  /// One name alone is no link.
  [[nodiscard]] bool is_linked() const { return names_ > 1; }
  [[nodiscard]] const std::string& first_path() const { return first_path_; }
  /// Marks `entry`, of any of the names. The id is always encoded, so that it stays the same when
  /// the tree is stacked onto directories with other ids.
  void mark(Entry& entry) const {
    entry.linked = true;
    entry.file_id = file_id_;
  }
  /// `path`, one of the names, for the link table. Errors: E2BIG/kLimit (longer than that can
  /// hold).
  [[nodiscard]] Result<LinkItem> link_item(const std::string& path) const {
    constexpr std::size_t kPathBytesMax = 65'535;
    if (path.size() > kPathBytesMax) return beyond_limit("path of a hard link above 65535 bytes");
    return LinkItem{file_id_, path};
  }

 private:
  std::size_t names_ = 0;
  std::string first_path_;
  FileId file_id_;
};

}  // namespace satchel::store
