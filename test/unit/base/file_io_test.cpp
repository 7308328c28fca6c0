#include "base/file_io.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "test/support/temp_dir.h"

namespace satchel {
namespace {

constexpr std::size_t kPlenty = 1U << 20U;

RelativePath path_of(std::string_view text) {
  return RelativePath::parse(text).value();
}

std::string text_of(int dir_fd, std::string_view name) {
  const auto bytes = read_file(dir_fd, Name::checked(name), kPlenty);
  REQUIRE(bytes);
  return std::string(as_text(*bytes));
}

std::size_t count_names(const test::TempDir& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(directory.path().text)) {
    ++count;
  }
  return count;
}

TEST_SUITE("base/file_io") {
  TEST_CASE("a durable file has exactly the bytes and mode asked for, and replaces the old one") {
    const test::TempDir directory;
    const Name name = Name::checked("file");
    const mode_t umask_before = ::umask(0077);
    REQUIRE(write_file_durably(directory.fd(), name, as_bytes("first, and longer"), 0644));
    REQUIRE(write_file_durably(directory.fd(), name, as_bytes("second"), 0666));
    ::umask(umask_before);
    CHECK(text_of(directory.fd(), "file") == "second");
    struct stat status {};
    REQUIRE(::fstatat(directory.fd(), "file", &status, 0) == 0);
    CHECK((status.st_mode & 07777U) == 0666);
    CHECK(count_names(directory) == 1);
    REQUIRE(write_file_durably(directory.fd(), name, {}, 0600));
    CHECK(text_of(directory.fd(), "file").empty());
  }

  TEST_CASE("a durable write replaces a symbolic link and not what it points to") {
    const test::TempDir directory;
    REQUIRE(write_file_durably(directory.fd(), Name::checked("target"), as_bytes("kept"), 0600));
    REQUIRE(::symlinkat("target", directory.fd(), "link") == 0);
    REQUIRE(write_file_durably(directory.fd(), Name::checked("link"), as_bytes("new"), 0600));
    CHECK(text_of(directory.fd(), "target") == "kept");
    CHECK(text_of(directory.fd(), "link") == "new");
  }

  TEST_CASE("a durable write that fails leaves no temporary file") {
    const test::TempDir directory;
    REQUIRE(::mkdirat(directory.fd(), "taken", 0700) == 0);
    const Result<void> result =
        write_file_durably(directory.fd(), Name::checked("taken"), as_bytes("x"), 0600);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == EISDIR);
    CHECK(result.error().path == "taken");
    CHECK(count_names(directory) == 1);
  }

  TEST_CASE("a full filesystem is kNoSpace, one that refuses writes is kReadOnly") {
    // /dev/full answers every write with ENOSPC.
    const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    REQUIRE(full.valid());
    const Result<void> result = pwrite_all(full.get(), as_bytes("x"), 0);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ENOSPC);
    CHECK(result.error().sat == Sat::kNoSpace);
    errno = EROFS;
    CHECK(file_error("p", "cannot write").sat == Sat::kReadOnly);
    errno = EDQUOT;
    CHECK(file_error("p", "cannot write").sat == Sat::kNoSpace);
    errno = EIO;
    CHECK(file_error("p", "cannot write").sat == Sat::kIo);
    errno = ENOENT;
    CHECK(file_error("p", "cannot write") ==
          Error{.code = ENOENT, .message = "cannot write", .path = "p"});
  }

  TEST_CASE("a file is read whole up to the limit, and refused one byte above") {
    const test::TempDir directory;
    const Name name = Name::checked("file");
    REQUIRE(write_file_durably(directory.fd(), name, as_bytes("12345"), 0600));
    CHECK(as_text(read_file(directory.fd(), name, 5).value()) == "12345");
    const auto too_long = read_file(directory.fd(), name, 4);
    REQUIRE_FALSE(too_long);
    CHECK(too_long.error().code == EFBIG);
    CHECK(too_long.error().sat == Sat::kLimit);
    CHECK(too_long.error().path == "file");
  }

  TEST_CASE("files that claim no size are read to their end") {
    // What /proc shows is longer than st_size says, as is a file that grows while it is read.
    const UniqueFd proc(::open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(proc.valid());
    const auto whole = read_file(proc.get(), Name::checked("maps"), kPlenty);
    REQUIRE(whole);
    CHECK(whole->size() > 1000);
    CHECK(read_file(proc.get(), Name::checked("maps"), 100).error().code == EFBIG);
  }

  TEST_CASE("only a regular file is read, and a name never leads elsewhere") {
    const test::TempDir directory;
    REQUIRE(::mkdirat(directory.fd(), "directory", 0700) == 0);
    REQUIRE(::mkfifoat(directory.fd(), "fifo", 0600) == 0);
    REQUIRE(::symlinkat("/etc/passwd", directory.fd(), "link") == 0);
    struct Row {
      std::string name;
      int code;
    };
    const Row rows[] = {
        {"absent", ENOENT}, {"directory", EINVAL}, {"fifo", EINVAL}, {"link", ELOOP}};
    for (const Row& row : rows) {
      CAPTURE(row.name);
      const auto bytes = read_file(directory.fd(), Name::checked(row.name), kPlenty);
      REQUIRE_FALSE(bytes);
      CHECK(bytes.error().code == row.code);
      CHECK(bytes.error().path == row.name);
    }
  }

  TEST_CASE("positioned reads stop early only at the end of the file") {
    const test::TempDir directory;
    const UniqueFd fd(::openat(directory.fd(), "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(pwrite_all(fd.get(), as_bytes("abcdef"), 2));
    std::array<std::byte, 16> bytes{};
    CHECK(*pread_all(fd.get(), bytes, 0) == 8);
    CHECK(as_text(Bytes(bytes).first(8)) == std::string_view("\0\0abcdef", 8));
    CHECK(*pread_all(fd.get(), std::span(bytes).first(3), 4) == 3);
    CHECK(as_text(Bytes(bytes).first(3)) == "cde");
    CHECK(*pread_all(fd.get(), bytes, 8) == 0);
    CHECK(fsync_fd(fd.get()));
    CHECK(fsync_directory(directory.fd()));
  }

  TEST_CASE("sparse writes leave pages of zeros out") {
    const test::TempDir directory;
    const UniqueFd fd(::openat(directory.fd(), "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    constexpr std::size_t kPage = 4096;
    std::string bytes(10 * kPage + 5, '\0');
    bytes[2 * kPage] = bytes[4 * kPage - 1] = bytes[9 * kPage + 7] = bytes.back() = 'x';
    REQUIRE(pwrite_sparse(fd.get(), as_bytes(bytes), 64 * kPage));
    std::vector<std::byte> found(bytes.size());
    CHECK(*pread_all(fd.get(), found, 64 * kPage) == bytes.size());
    CHECK(as_text(found) == bytes);
    const auto seek = [&](std::size_t page, int whence) {
      return ::lseek(fd.get(), static_cast<off_t>(page * kPage), whence) /
             static_cast<off_t>(kPage);
    };
    CHECK(seek(0, SEEK_DATA) == 66);
    CHECK(seek(66, SEEK_HOLE) == 68);
    CHECK(seek(68, SEEK_DATA) == 73);
    REQUIRE(pwrite_sparse(fd.get(), {}, 0));
    REQUIRE(pwrite_sparse(fd.get(), as_bytes(std::string(3 * kPage, '\0')), 80 * kPage));
    CHECK(::lseek(fd.get(), 0, SEEK_END) == static_cast<off_t>(74 * kPage + 5));
  }

  TEST_CASE("calls on a bad descriptor are errors") {
    std::array<std::byte, 1> byte{};
    CHECK(pwrite_sparse(-1, as_bytes("x"), 0).error().code == EBADF);
    CHECK(pread_all(-1, byte, 0).error().code == EBADF);
    CHECK(pwrite_all(-1, byte, 0).error().code == EBADF);
    CHECK(fsync_fd(-1).error().code == EBADF);
    CHECK(fsync_directory(-1).error().code == EBADF);
    CHECK(open_beneath(-1, path_of("a"), O_RDONLY).error().code == EBADF);
    CHECK(make_directories_at(-1, path_of("a"), 0700).error().code == EBADF);
  }

  TEST_CASE("an open cannot leave its directory") {
    const test::TempDir directory;
    REQUIRE(make_directories_at(directory.fd(), path_of("inside/deep"), 0700));
    const UniqueFd inside = open_beneath(directory.fd(), path_of("inside"), O_PATH).value();
    REQUIRE(write_file_durably(directory.fd(), Name::checked("outside"), as_bytes("o"), 0600));
    REQUIRE(::symlinkat("../outside", inside.get(), "up") == 0);
    REQUIRE(::symlinkat("/etc", inside.get(), "absolute") == 0);
    REQUIRE(::symlinkat("deep", inside.get(), "within") == 0);
    REQUIRE(::symlinkat("loop", inside.get(), "loop") == 0);
    struct Row {
      std::string path;
      int code;  // 0: opens
    };
    const Row rows[] = {{"", 0},
                        {"deep", 0},
                        {"within", 0},
                        {"up", EXDEV},
                        {"absolute", EXDEV},
                        {"absolute/passwd", EXDEV},
                        {"absent", ENOENT},
                        {"deep/absent", ENOENT},
                        {"loop", ELOOP}};
    for (const Row& row : rows) {
      CAPTURE(row.path);
      const Result<UniqueFd> fd = open_beneath(inside.get(), path_of(row.path), O_RDONLY);
      CHECK((fd ? 0 : fd.error().code) == row.code);
      if (fd) CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(open_beneath(inside.get(), path_of("within"), O_RDONLY | O_NOFOLLOW).error().code ==
          ELOOP);
  }

  TEST_CASE("an open makes a new file with the mode given, once") {
    const test::TempDir directory;
    const int flags = O_WRONLY | O_CREAT | O_EXCL;
    REQUIRE(open_beneath(directory.fd(), path_of("new"), flags, 0640));
    struct stat status {};
    REQUIRE(::fstatat(directory.fd(), "new", &status, 0) == 0);
    CHECK((status.st_mode & 0777U) == 0640);
    CHECK(open_beneath(directory.fd(), path_of("new"), flags, 0640).error().code == EEXIST);
    CHECK(open_beneath(directory.fd(), path_of("new/below"), O_RDONLY).error().code == ENOTDIR);
  }

  TEST_CASE("missing directories are made, present ones are kept, links are refused") {
    const test::TempDir directory;
    const Result<UniqueFd> made = make_directories_at(directory.fd(), path_of("a/b/c"), 0750);
    REQUIRE(made);
    REQUIRE(write_file_durably(made->get(), Name::checked("file"), as_bytes("x"), 0600));
    const Result<UniqueFd> again = make_directories_at(directory.fd(), path_of("a/b/c"), 0700);
    REQUIRE(again);
    CHECK(text_of(again->get(), "file") == "x");
    struct stat status {};
    REQUIRE(::fstatat(directory.fd(), "a/b", &status, 0) == 0);
    CHECK((status.st_mode & 0777U) == 0750);

    CHECK(make_directories_at(directory.fd(), RelativePath{}, 0700));
    CHECK(make_directories_at(directory.fd(), path_of("a/b/c/file/d"), 0700).error().code ==
          ENOTDIR);
    REQUIRE(::symlinkat("a", directory.fd(), "link") == 0);
    CHECK(make_directories_at(directory.fd(), path_of("link/b"), 0700).error().code == ENOTDIR);
    CHECK(make_directories_at(directory.fd(), path_of("link"), 0700).error().code == ENOTDIR);
  }
}

}  // namespace
}  // namespace satchel
