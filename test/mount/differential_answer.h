// What a system call said, in a form that can be compared and printed.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace satchel::test {

struct Answer {
  long result = 0;
  int error = 0;
  std::string detail;
  friend bool operator==(const Answer&, const Answer&) = default;
};
inline std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  out << answer.result;
  if (answer.error != 0) out << " (" << std::strerror(answer.error) << ")";
  if (!answer.detail.empty()) out << " [" << answer.detail.substr(0, 400) << "]";
  return out;
}
inline Answer answer_of(long result, std::string detail = {}) {
  return {result < 0 ? -1 : result, result < 0 ? errno : 0,
          result < 0 ? std::string() : std::move(detail)};
}

inline std::string describe(const struct stat& s) {
  std::ostringstream out;
  out << std::oct << s.st_mode << std::dec << " n" << s.st_nlink << " u" << s.st_uid << " g"
      << s.st_gid;
  if (!S_ISDIR(s.st_mode)) out << " s" << s.st_size;
  if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)) out << " r" << s.st_rdev;
  return out.str();
}

inline std::string digest(const char* bytes, std::size_t length) {
  std::uint64_t value =
      1469598103934665603U;  // FNV-1a: equal bytes give equal digests, which is all that is asked
  for (std::size_t i = 0; i < length; ++i)
    value = (value ^ static_cast<unsigned char>(bytes[i])) * 1099511628211U;
  return std::to_string(length) + ":" + std::to_string(value);
}

/// Of a regular file, how many bytes it has and their digest.
inline Answer content_of(int root, const std::string& path) {
  struct stat s {};
  if (fstatat(root, path.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) return answer_of(-1);
  if (!S_ISREG(s.st_mode)) return Answer{};
  const int fd = openat(root, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return answer_of(-1);
  std::vector<char> bytes(static_cast<std::size_t>(s.st_size));
  std::size_t got = 0;
  while (got < bytes.size()) {
    const long more = pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (more <= 0) break;
    got += static_cast<std::size_t>(more);
  }
  close(fd);
  return Answer{static_cast<long>(got), 0, digest(bytes.data(), got)};
}

}  // namespace satchel::test
