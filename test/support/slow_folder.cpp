// A folder on a server that can be stopped: what a repository on a network filesystem is to a
// mount.
//
//   slow_folder SOURCE DIRECTORY      shows SOURCE at DIRECTORY until it is unmounted
//
// Nothing is cached, so each call on DIRECTORY waits for this process, and for ever once it was
// sent SIGSTOP.
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <string>

namespace {

int source = -1;  // one per process, as libfuse's high-level callbacks want it

const char* relative(const char* path) {
  return path[1] == '\0' ? "." : path + 1;
}
int answer(long result) {
  return result < 0 ? -errno : static_cast<int>(result);
}
int fd_of(const fuse_file_info* file) {
  return static_cast<int>(file->fh);
}

void* op_init(fuse_conn_info* /*connection*/, fuse_config* config) {
  config->use_ino = 1;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  config->direct_io = 1;
  config->nullpath_ok = 0;
  return nullptr;
}
int op_getattr(const char* path, struct stat* out, fuse_file_info* /*file*/) {
  return answer(::fstatat(source, relative(path), out, AT_SYMLINK_NOFOLLOW));
}
int op_readdir(const char* path, void* buffer, fuse_fill_dir_t fill, off_t /*offset*/,
               fuse_file_info* /*file*/, fuse_readdir_flags /*flags*/) {
  const int fd = ::openat(source, relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  DIR* const directory = ::fdopendir(fd);
  while (const dirent* const item = ::readdir(directory)) {
    fill(buffer, item->d_name, nullptr, 0, fuse_fill_dir_flags{});
  }
  return answer(::closedir(directory));
}
int open_as(const char* path, fuse_file_info* file, int flags, mode_t mode) {
  const int fd = ::openat(source, relative(path), flags | O_CLOEXEC, mode);
  if (fd < 0) return -errno;
  file->fh = static_cast<std::uint64_t>(fd);
  return 0;
}
int op_open(const char* path, fuse_file_info* file) {
  return open_as(path, file, file->flags, 0);
}
int op_create(const char* path, mode_t mode, fuse_file_info* file) {
  return open_as(path, file, file->flags | O_CREAT, mode);
}
int op_read(const char* /*path*/, char* buffer, std::size_t size, off_t offset,
            fuse_file_info* file) {
  return answer(::pread(fd_of(file), buffer, size, offset));
}
int op_write(const char* /*path*/, const char* buffer, std::size_t size, off_t offset,
             fuse_file_info* file) {
  return answer(::pwrite(fd_of(file), buffer, size, offset));
}
int op_truncate(const char* /*path*/, off_t size, fuse_file_info* file) {
  return file == nullptr ? -ENOSYS : answer(::ftruncate(fd_of(file), size));
}
int op_chmod(const char* path, mode_t mode, fuse_file_info* /*file*/) {
  return answer(::fchmodat(source, relative(path), mode, 0));
}
int op_fsync(const char* /*path*/, int /*data_only*/, fuse_file_info* file) {
  return answer(::fsync(fd_of(file)));
}
int op_release(const char* /*path*/, fuse_file_info* file) {
  return answer(::close(fd_of(file)));
}
int op_mkdir(const char* path, mode_t mode) {
  return answer(::mkdirat(source, relative(path), mode));
}
int op_link(const char* from, const char* to) {
  return answer(::linkat(source, relative(from), source, relative(to), 0));
}
int op_unlink(const char* path) {
  return answer(::unlinkat(source, relative(path), 0));
}
int op_rename(const char* from, const char* to, unsigned flags) {
  return answer(::renameat2(source, relative(from), source, relative(to), flags));
}

}  // namespace

int main(int count, char** values) {
  if (count != 3) {
    std::cerr << "usage: slow_folder SOURCE DIRECTORY\n";
    return 2;
  }
  source = ::open(values[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (source < 0) {
    std::perror(values[1]);
    return 1;
  }
  fuse_operations operations{};
  operations.init = op_init;
  operations.getattr = op_getattr;
  operations.readdir = op_readdir;
  operations.open = op_open;
  operations.create = op_create;
  operations.read = op_read;
  operations.write = op_write;
  operations.truncate = op_truncate;
  operations.chmod = op_chmod;
  operations.fsync = op_fsync;
  operations.release = op_release;
  operations.mkdir = op_mkdir;
  operations.link = op_link;
  operations.unlink = op_unlink;
  operations.rename = op_rename;
  std::string name = "slow_folder", foreground = "-f", target = values[2];
  char* arguments[] = {name.data(), foreground.data(), target.data(), nullptr};
  return fuse_main(3, arguments, &operations, nullptr);
}
