#include "fs/detach.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

namespace satchel::fs {
namespace {

/// Its exit status; empty if it could not be run. What it prints is not for our user.
std::optional<int> run_fusermount(const HostPath& mount_point, DetachMode mode) {
  std::string program = "fusermount3";
  std::string flags = mode == DetachMode::kLazy ? "-uz" : "-u";
  std::string end = "--";
  std::string place = mount_point.text;
  std::array<char*, 5> arguments{program.data(), flags.data(), end.data(), place.data(), nullptr};
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  }
  pid_t process = 0;
  const int spawned =
      ::posix_spawnp(&process, program.c_str(), &files, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (spawned != 0) return std::nullopt;
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return std::nullopt;
  }
  return status;
}

}  // namespace

Result<void> detach_mount(const HostPath& mount_point, DetachMode mode) {
  const int flags = UMOUNT_NOFOLLOW | (mode == DetachMode::kLazy ? MNT_DETACH : 0);
  if (::umount2(mount_point.c_str(), flags) == 0) return {};
  const int code = errno;
  if (code != EPERM || ::geteuid() == 0) return Error{.code = code};
  const auto status = run_fusermount(mount_point, mode);
  if (status == 0) return {};
  // It tells by words alone why not. A mount of our own that does not go is in use.
  return Error{.code = status && mode == DetachMode::kClean ? EBUSY : EPERM};
}

}  // namespace satchel::fs
