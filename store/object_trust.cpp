#include "store/object_trust.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>

#include "base/file_io.h"
#include "base/random.h"

namespace satchel::store {
namespace {

constexpr std::size_t kRecordBytesMax = 128;

std::string record_name(const std::string& name) {
  return name + ".ok";
}

std::string describe(const struct stat& status) {
  return fmt::format("{}.{}.{:09}.{}.{:09}.{}", status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
                     status.st_ino);
}

}  // namespace

bool is_trusted(int directory_fd, const std::string& name, const struct stat& status) {
  std::array<char, kRecordBytesMax> target{};
  const ssize_t length =
      ::readlinkat(directory_fd, record_name(name).c_str(), target.data(), target.size());
  if (length < 0) return false;
  return std::string_view(target.data(), static_cast<std::size_t>(length)) == describe(status);
}

void record_trust(int directory_fd, const std::string& name, const struct stat& status) {
  const std::string temporary = fmt::format("{}{:016x}", kTemporaryPrefix, SystemRandom().number());
  if (::symlinkat(describe(status).c_str(), directory_fd, temporary.c_str()) != 0) return;
  if (::renameat(directory_fd, temporary.c_str(), directory_fd, record_name(name).c_str()) != 0) {
    (void)::unlinkat(directory_fd, temporary.c_str(), 0);  // a leftover link is harmless
  }
}

void forget_trust(int directory_fd, const std::string& name) {
  // A record without its object is never looked at, and one of another inode is not believed.
  (void)::unlinkat(directory_fd, record_name(name).c_str(), 0);
}

}  // namespace satchel::store
