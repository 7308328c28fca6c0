// One script of system calls, played in the view and in a plain directory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace satchel::test {

/// A directory to work in, and a record of what happened there. The record says nothing of where
/// that was.
class Place {
 public:
  explicit Place(std::string root) : root_(std::move(root)) {}

  [[nodiscard]] std::string path(std::string_view relative) const {
    return root_ + "/" + std::string(relative);
  }
  /// Records a system call's result, by the name of errno if it failed; returns the result.
  long did(std::string_view what, long result);
  /// Records anything else.
  void saw(std::string_view what, std::string_view value);
  void saw(std::string_view what, long value) { saw(what, std::to_string(value)); }

  // What cases do often; each records.
  void write(std::string_view relative, std::string_view bytes, int flags);  ///< open, write, close
  void read(std::string_view relative);  ///< content, shortened by a hash
  void stat(std::string_view relative);  ///< type, mode, owner, links, size
  void list(std::string_view relative);  ///< names, sorted
  /// Everything below, with xattrs and contents: two places that show the same are the same.
  void describe(std::string_view relative = "");

  [[nodiscard]] const std::vector<std::string>& record() const { return record_; }

 private:
  void describe_one(const std::string& relative);
  std::string root_;
  std::vector<std::string> record_;
};

/// Runs `script` in a child as another user; its record is appended to `place`'s.
void as_user(Place& place, unsigned uid, unsigned gid, const std::vector<unsigned>& groups,
             void (*script)(Place&));

}  // namespace satchel::test
