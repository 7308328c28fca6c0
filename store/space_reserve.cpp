#include "store/space_reserve.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/file_io.h"

namespace satchel::store {
namespace {

constexpr std::uint64_t kShareOfFilesystem = 64;
constexpr std::uint64_t kParts = 4;     // it is given back in
constexpr std::uint64_t kRoomPart = 2;  // a half of it has to be free beside it

/// Numbers of users are those of the system: this is no user namespace of a container.
bool is_in_first_user_namespace() {
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  std::ifstream map("/proc/self/uid_map");
  return map >> first >> outside >> count && first == 0 && outside == 0 && count == UINT32_MAX;
}

/// Whether this process may write into what a filesystem keeps back from most. The user root
/// without the capability, as in a container, may or may not: that is the filesystem's affair.
bool may_use_all_blocks() {
  if (!is_in_first_user_namespace()) return false;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  return (data.at(CAP_TO_INDEX(CAP_SYS_RESOURCE)).effective & CAP_TO_MASK(CAP_SYS_RESOURCE)) != 0;
}

}  // namespace

Result<void> SpaceReserve::open(const HostPath& place, std::uint64_t bytes_max) {
  const std::lock_guard lock(mutex_);
  UniqueFd file(::open(place.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat stat {};
  struct statvfs filesystem {};
  if (!file.valid() || ::fstat(file.get(), &stat) != 0 ||
      ::fstatvfs(file.get(), &filesystem) != 0) {
    return file_error(place.text, "keep space in reserve");
  }
  file_ = std::move(file);
  may_use_all_blocks_ = may_use_all_blocks();
  bytes_held_ = static_cast<std::uint64_t>(stat.st_size);
  const std::uint64_t all = filesystem.f_blocks * filesystem.f_frsize;
  bytes_wanted_ = std::min(bytes_max, all / kShareOfFilesystem);
  return {};
}

bool SpaceReserve::has_room() {
  const std::lock_guard lock(mutex_);
  return fill() && is_free(bytes_wanted_ / kRoomPart);
}

void SpaceReserve::make_room() {
  const std::lock_guard lock(mutex_);
  while (!is_free(bytes_wanted_ / kRoomPart) && release()) {
  }
}

bool SpaceReserve::is_free(std::uint64_t bytes) const {
  struct statvfs filesystem {};
  if (bytes == 0 || ::fstatvfs(file_.get(), &filesystem) != 0) return true;
  const auto blocks = may_use_all_blocks_ ? filesystem.f_bfree : filesystem.f_bavail;
  return blocks * filesystem.f_frsize >= bytes;
}

bool SpaceReserve::fill() {
  if (bytes_held_ >= bytes_wanted_) return true;
  if (::fallocate(file_.get(), 0, 0, static_cast<off_t>(bytes_wanted_)) == 0) {
    bytes_held_ = bytes_wanted_;
    return true;
  }
  const bool is_full = errno == ENOSPC || errno == EDQUOT;
  // It may have got a part of it.
  (void)::ftruncate(file_.get(), static_cast<off_t>(bytes_held_));
  if (!is_full) bytes_wanted_ = bytes_held_;  // it cannot be allocated here
  return !is_full;
}

bool SpaceReserve::release() {
  if (bytes_held_ == 0) return false;
  const std::uint64_t part = std::max<std::uint64_t>(bytes_wanted_ / kParts, 1);
  const std::uint64_t rest = bytes_held_ - std::min(bytes_held_, part);
  if (::ftruncate(file_.get(), static_cast<off_t>(rest)) != 0) return false;
  bytes_held_ = rest;
  return true;
}

}  // namespace satchel::store
