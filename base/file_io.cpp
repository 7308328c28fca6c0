#include "base/file_io.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/random.h"

namespace satchel {
namespace {

// The kernel gives up with EAGAIN when something on the way is renamed during the walk.
constexpr int kRacedOpensMax = 64;
constexpr std::size_t kReadBytesMin = 64U << 10U;
constexpr std::size_t kPageBytes = 4096;

Name temporary_name() {
  std::array<std::byte, 8> nonce{};
  SystemRandom().fill(nonce);
  return Name::checked(std::string(kTemporaryPrefix) + to_hex(nonce));
}

/// Removes a temporary file unless it became the real one.
class TemporaryFile {
 public:
  TemporaryFile(int dir_fd, Name name) : dir_fd_(dir_fd), name_(std::move(name)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    // A leftover is harmless, and the error that led here is the one to report.
    if (exists_) (void)::unlinkat(dir_fd_, name_.text().c_str(), 0);
  }

  Result<UniqueFd> create() {
    UniqueFd fd(::openat(dir_fd_, name_.text().c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return file_error(name_.text(), "cannot make a temporary file");
    exists_ = true;
    return fd;
  }
  Result<void> rename_to(const Name& name) {
    if (::renameat(dir_fd_, name_.text().c_str(), dir_fd_, name.text().c_str()) != 0) {
      return file_error(name.text(), "cannot replace the file");
    }
    exists_ = false;
    return {};
  }

 private:
  int dir_fd_;
  Name name_;
  bool exists_ = false;
};

}  // namespace

Error file_error(std::string_view path, std::string_view doing) {
  Error error = errno_error(path, doing);
  if (is_full(error)) error.sat = Sat::kNoSpace;
  if (error.code == EROFS) error.sat = Sat::kReadOnly;
  if (error.code == EIO) error.sat = Sat::kIo;
  return error;
}

bool is_full(const Error& error) {
  return error.code == ENOSPC || error.code == EDQUOT;
}

Result<void> write_file_durably(int dir_fd, const Name& name, Bytes bytes, mode_t mode) {
  TemporaryFile temporary(dir_fd, temporary_name());
  SATCHEL_ASSIGN(const UniqueFd fd, temporary.create());
  SATCHEL_TRY(pwrite_all(fd.get(), bytes, 0));
  if (::fchmod(fd.get(), mode) != 0) return file_error(name.text(), "cannot set the mode");
  SATCHEL_TRY(fsync_fd(fd.get()));
  SATCHEL_TRY(temporary.rename_to(name));
  return fsync_directory(dir_fd);
}

Result<std::vector<std::byte>> read_file(int dir_fd, const Name& name, std::size_t bytes_max) {
  // O_NONBLOCK: a FIFO of this name must not hold us up.
  const UniqueFd fd(
      ::openat(dir_fd, name.text().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return file_error(name.text(), "cannot open the file");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_error(name.text(), "cannot stat the file");
  if (!S_ISREG(status.st_mode)) {
    return Error{.code = EINVAL, .message = "not a regular file", .path = name.text()};
  }
  const auto too_long = [&] {
    return Error{.code = EFBIG,
                 .sat = Sat::kLimit,
                 .message = "longer than " + std::to_string(bytes_max) + " bytes",
                 .path = name.text()};
  };
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > bytes_max) return too_long();
  // One byte more than the limit tells a file that grew meanwhile from one that just fits.
  std::vector<std::byte> bytes(static_cast<std::size_t>(size) + 1);
  std::size_t filled = 0;
  while (true) {
    SATCHEL_ASSIGN(const std::size_t count,
                   pread_all(fd.get(), std::span(bytes).subspan(filled), filled));
    filled += count;
    if (filled > bytes_max) return too_long();
    if (filled < bytes.size()) break;
    bytes.resize(std::min(bytes_max + 1, bytes.size() + std::max(bytes.size(), kReadBytesMin)));
  }
  bytes.resize(filled);
  return bytes;
}

Result<void> fsync_fd(int fd) {
  if (::fsync(fd) != 0) return file_error({}, "cannot make a file durable");
  return {};
}

Result<void> fsync_directory(int dir_fd) {
  if (::fsync(dir_fd) != 0) return file_error({}, "cannot make a directory durable");
  return {};
}

Result<std::size_t> pread_all(int fd, std::span<std::byte> into, std::uint64_t offset) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    const ssize_t count = ::pread(fd, into.data() + filled, into.size() - filled,
                                  static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error({}, "cannot read");
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

Result<void> pwrite_all(int fd, Bytes bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error({}, "cannot write");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> pwrite_sparse(int fd, Bytes bytes, std::uint64_t offset) {
  const auto is_zero_page = [&](std::size_t start) {
    const Bytes page = bytes.subspan(start, std::min(kPageBytes, bytes.size() - start));
    return std::ranges::all_of(page, [](std::byte byte) { return byte == std::byte{0}; });
  };
  std::size_t start = 0;
  while (start < bytes.size()) {
    if (is_zero_page(start)) {
      start += kPageBytes;
      continue;
    }
    std::size_t end = start + kPageBytes;
    while (end < bytes.size() && !is_zero_page(end)) end += kPageBytes;
    end = std::min(end, bytes.size());
    SATCHEL_TRY(pwrite_all(fd, bytes.subspan(start, end - start), offset + start));
    start = end;
  }
  return {};
}

Result<UniqueFd> open_beneath(int dir_fd, const RelativePath& path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const char* const text = path.is_root() ? "." : path.text().c_str();
  for (int i = 0; i < kRacedOpensMax; ++i) {
    const long fd = ::syscall(SYS_openat2, dir_fd, text, &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return file_error(path.absolute(), "cannot open");
}

Result<UniqueFd> make_directories_at(int dir_fd, const RelativePath& path, mode_t mode) {
  SATCHEL_ASSIGN(UniqueFd directory, open_beneath(dir_fd, RelativePath{}, O_RDONLY | O_DIRECTORY));
  for (const Name& name : path.names()) {
    const char* const text = name.text().c_str();
    if (::mkdirat(directory.get(), text, mode) == 0) {
      SATCHEL_TRY(fsync_directory(directory.get()));
    } else if (errno != EEXIST) {
      return file_error(path.absolute(), "cannot make the directory");
    }
    UniqueFd child(
        ::openat(directory.get(), text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.valid()) return file_error(path.absolute(), "cannot open the directory");
    directory = std::move(child);
  }
  return directory;
}

}  // namespace satchel
