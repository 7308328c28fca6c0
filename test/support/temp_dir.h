// A directory of a test's own.
#pragma once

#include "base/path.h"
#include "base/unique_fd.h"

namespace satchel::test {

/// A new empty directory below TMPDIR or /tmp, removed with all it holds at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const HostPath& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// An own descriptor, for what takes one over.
  [[nodiscard]] UniqueFd open() const;

 private:
  HostPath path_;
  UniqueFd fd_;
};

}  // namespace satchel::test
