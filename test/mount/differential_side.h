// One of the two trees that are compared, and what is open in it.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "test/mount/differential_answer.h"
#include "test/mount/mapped_page.h"

namespace satchel::test {

inline constexpr std::size_t kReadBytes = 100'000;

/// One of the two trees, with the descriptors that are open in it.
struct Side {
  int root = -1;
  std::array<int, 8> files{};
  std::array<MappedPage, 3> pages;  ///< some stay when the file is closed
  Side() { files.fill(-1); }
};

/// Of a regular file, whole.
inline std::optional<std::string> bytes_of(int fd) {
  struct stat s {};
  if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(s.st_size), '\0');
  if (pread(fd, bytes.data(), bytes.size(), 0) != s.st_size) return std::nullopt;
  return bytes;
}
inline Answer read_at(int fd, off_t offset) {
  std::vector<char> bytes(kReadBytes);
  const long result = pread(fd, bytes.data(), bytes.size(), offset);
  return answer_of(result,
                   result > 0 ? digest(bytes.data(), static_cast<std::size_t>(result)) : "");
}
}  // namespace satchel::test
