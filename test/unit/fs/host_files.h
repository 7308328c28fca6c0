// What the host's filesystem holds, for the sides of a view's tests.
#pragma once

#include <cerrno>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/entry.h"

namespace satchel::fs::test {

std::string read_whole(int fd);
/// Sorted, without "." and "..".
std::vector<std::string> names_in(int directory_fd);
/// Those of user and trusted.
store::Xattrs xattrs_at(const std::string& path);
std::string text_of(const store::Xattrs& xattrs);

inline int code_of(int result) {
  return result == 0 ? 0 : errno;
}
template <typename T>
int code_of(const Result<T>& result) {
  return result ? 0 : result.error().code;
}

inline std::string join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

}  // namespace satchel::fs::test
