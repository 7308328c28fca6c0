#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

constexpr std::size_t kBigBytes = (3U << 20U) + 777;

std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed;
  for (char& byte : bytes) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<char>(state >> 24U);
  }
  return bytes;
}

void make_base(Place& base) {
  base.write("small", "a small file\n", O_WRONLY | O_CREAT);
  base.write("middle", pattern(40'000, 1), O_WRONLY | O_CREAT);
  base.write("big", pattern(kBigBytes, 2), O_WRONLY | O_CREAT);
  base.write("empty", "", O_WRONLY | O_CREAT);
  const UniqueFd sparse(::open(base.path("sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  base.did("sparse", ::pwrite(sparse.get(), "end", 3, 50 << 20));
  const UniqueFd holes(::open(base.path("holes").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const std::string data = pattern(10'000, 3);
  for (const off_t page : {0, 5, 64, 700}) {
    base.did("holes", ::pwrite(holes.get(), data.data(), 4096, page * 4096));
  }
  base.did("end", ::ftruncate(holes.get(), 4 << 20));
}

UniqueFd open(Place& place, const char* name, int flags) {
  UniqueFd fd(::open(place.path(name).c_str(), flags | O_CLOEXEC, 0644));
  place.did(std::string("open ") + name, fd.valid() ? 0 : -1);
  return fd;
}

}  // namespace

TEST_SUITE("mount/files") {
  TEST_CASE("files are written, truncated and appended to as in a plain directory") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      for (const char* const name : {"small", "middle", "big", "empty", "new"}) {
        const UniqueFd fd = open(place, name, O_RDWR | O_CREAT);
        place.did("pwrite", ::pwrite(fd.get(), "middle of it", 12, 4090));
        place.read(name);
        place.did("beyond", ::pwrite(fd.get(), "x", 1, 5'000'000));
        place.read(name);
        place.did("cut", ::ftruncate(fd.get(), 5000));
        place.did("grow", ::ftruncate(fd.get(), 70'000));
        place.read(name);
        place.stat(name);
        place.did("fsync", ::fsync(fd.get()));
        place.did("fdatasync", ::fdatasync(fd.get()));
      }
      place.did("truncate", ::truncate(place.path("middle").c_str(), 10));
      place.write("middle", "appended", O_WRONLY | O_APPEND);
      place.read("middle");
      place.write("big", "rewritten", O_WRONLY | O_TRUNC);
      place.read("big");
      place.write("small", "y", O_RDONLY);
      place.did("truncate directory", ::truncate(place.path("").c_str(), 0));
      place.did("open directory", ::open(place.path("").c_str(), O_WRONLY | O_CLOEXEC));
      place.did("negative", ::truncate(place.path("small").c_str(), -1));
      const UniqueFd two = open(place, "small", O_RDWR | O_APPEND);
      const UniqueFd one = open(place, "small", O_RDWR | O_APPEND);
      place.did("a", ::write(one.get(), "AA", 2));
      place.did("b", ::write(two.get(), "BB", 2));
      place.did("a", ::write(one.get(), "CC", 2));
      place.read("small");
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
  }

  TEST_CASE("a descriptor from before a change sees it") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      for (const char* const name : {"small", "big"}) {
        const UniqueFd reader = open(place, name, O_RDONLY);
        std::string bytes(6, '\0');
        place.did("read", ::pread(reader.get(), bytes.data(), 6, 0));
        place.write(name, "CHANGED", O_WRONLY);
        place.did("read", ::pread(reader.get(), bytes.data(), 6, 0));
        place.saw("sees", bytes);
      }
    });
  }

  TEST_CASE("files are removed from a full disk, and then there is room again") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    const std::string store = fixture.folder("store").text;
    REQUIRE(::mkdir(store.c_str(), 0700) == 0);
    REQUIRE(::mount("tmpfs", store.c_str(), "tmpfs", 0, "size=128m") == 0);
    fixture.mount();
    const auto make = [&](const std::string& name, std::size_t size) {
      const UniqueFd fd(::open(fixture.mnt(name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      if (!fd.valid()) return errno;
      const std::string bytes(64U << 10U, 'x');
      for (std::size_t done = 0; done < size; done += bytes.size()) {
        if (::write(fd.get(), bytes.data(), bytes.size()) < 0) return errno;
      }
      return 0;
    };
    for (int i = 0; i < 500; ++i) REQUIRE(make("file" + std::to_string(i), 0) == 0);
    CHECK(make("filler", 1U << 30U) == ENOSPC);
    int code = 0;
    for (int i = 0; i < 100'000 && code == 0; ++i) code = make("more" + std::to_string(i), 0);
    CHECK(code == ENOSPC);
    CHECK(::setxattr(fixture.mnt("file0").c_str(), "user.x", "value", 5, 0) == -1);
    CHECK(::rename(fixture.mnt("file0").c_str(), fixture.mnt("renamed").c_str()) == 0);
    CHECK(::chmod(fixture.mnt("renamed").c_str(), 0600) == 0);
    for (int i = 1; i < 500; ++i) {
      REQUIRE(::unlink(fixture.mnt("file" + std::to_string(i)).c_str()) == 0);
    }
    REQUIRE(::unlink(fixture.mnt("small").c_str()) == 0);
    fixture.unmount();
    fixture.mount();  // nor does a full disk keep a view from being mounted
    CHECK(::access(fixture.mnt("small").c_str(), F_OK) == -1);
    REQUIRE(::unlink(fixture.mnt("filler").c_str()) == 0);
    CHECK(make("after", 1U << 20U) == 0);
    fixture.unmount();
    CHECK(::umount(store.c_str()) == 0);
  }

  TEST_CASE("holes of an unchanged file are found where its bytes are here") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.read("holes");
      const UniqueFd fd = open(place, "holes", O_RDONLY);
      off_t offset = 0;
      for (int whence = SEEK_HOLE; offset >= 0;
           whence = whence == SEEK_HOLE ? SEEK_DATA : SEEK_HOLE) {
        offset = place.did("next", ::lseek(fd.get(), offset, whence));
      }
      place.saw("end", ::lseek(fd.get(), 4'000'000, SEEK_HOLE));
      place.did("beyond", ::lseek(fd.get(), 4 << 20, SEEK_HOLE));
    });
  }

  TEST_CASE("holes are kept, made and found") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const UniqueFd sparse = open(place, "sparse", O_RDWR);
      // Of a base file that has not arrived the view says that all is data, as a filesystem may.
      place.did("beyond", ::lseek(sparse.get(), 1 << 30, SEEK_DATA));
      place.did("write", ::pwrite(sparse.get(), "data", 4, 1 << 20));
      place.did("data", ::lseek(sparse.get(), 0, SEEK_DATA));
      place.did("hole", ::lseek(sparse.get(), 1 << 20, SEEK_HOLE));
      struct stat stat {};
      place.did("stat", ::fstat(sparse.get(), &stat));
      place.saw("is sparse", stat.st_blocks * 512 < (1 << 20) ? "yes" : "no");
      const UniqueFd big = open(place, "big", O_RDWR);
      const auto punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      place.did("punch", ::fallocate(big.get(), punch, 4096, 1 << 20));
      place.did("hole", ::lseek(big.get(), 0, SEEK_HOLE));
      place.did("data", ::lseek(big.get(), 4096, SEEK_DATA));
      place.did("zero", ::fallocate(big.get(), FALLOC_FL_ZERO_RANGE, (2 << 20) + 1, 100'000));
      place.did("keep", ::fallocate(big.get(), FALLOC_FL_KEEP_SIZE, 0, 8 << 20));
      place.stat("big");
      place.did("grow", ::fallocate(big.get(), 0, 0, 5 << 20));
      place.read("big");
      place.did("collapse", ::fallocate(big.get(), FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == 0
                                ? 0
                                : (errno == EOPNOTSUPP ? 0 : -1));
    });
  }

  TEST_CASE("ranges are copied between files") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const UniqueFd from = open(place, "big", O_RDONLY);
      const UniqueFd to = open(place, "copy", O_RDWR | O_CREAT);
      off_t from_offset = 1000;
      off_t to_offset = 500;
      // One call may copy less than it was asked for.
      for (std::size_t left = 2'000'000; left > 0;) {
        const ssize_t copied =
            ::copy_file_range(from.get(), &from_offset, to.get(), &to_offset, left, 0);
        if (copied <= 0) {
          place.did("copy", -1);
          break;
        }
        left -= static_cast<std::size_t>(copied);
      }
      place.saw("offset", static_cast<long>(to_offset));
      place.read("copy");
      from_offset = 1 << 30;
      place.did("at the end",
                ::copy_file_range(from.get(), &from_offset, to.get(), &to_offset, 100, 0));
    });
    fixture.compare_trees();
  }

  TEST_CASE("mappings are shared with read and write") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      for (const char* const name : {"middle", "big"}) {
        UniqueFd fd = open(place, name, O_RDWR);
        void* const mapped =
            ::mmap(nullptr, 16'384, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
        place.did("mmap", mapped == MAP_FAILED ? -1 : 0);
        auto* const bytes = static_cast<char*>(mapped);
        std::copy_n("by mapping", 10, bytes + 5000);
        std::string seen(10, '\0');
        place.did("read", ::pread(fd.get(), seen.data(), 10, 5000));
        place.saw("seen", seen);
        place.did("write", ::pwrite(fd.get(), "by write", 8, 9000));
        place.saw("mapped", std::string(bytes + 9000, 8));
        place.did("msync", ::msync(mapped, 16'384, MS_SYNC));
        fd.reset();
        std::copy_n("after close", 11, bytes + 100);
        place.did("munmap", ::munmap(mapped, 16'384));
        place.read(name);
      }
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
  }

  TEST_CASE("direct input and output work") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const UniqueFd fd = open(place, "big", O_RDWR | O_DIRECT);
      alignas(4096) static std::array<char, 8192> buffer;
      place.did("read", ::pread(fd.get(), buffer.data(), buffer.size(), 4096));
      place.saw("bytes", std::to_string(static_cast<unsigned char>(buffer[17])));
      buffer.fill('d');
      place.did("write", ::pwrite(fd.get(), buffer.data(), buffer.size(), 8192));
      place.read("big");
    });
  }

  TEST_CASE("locks exclude other processes and end with them") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const UniqueFd fd = open(place, "small", O_RDWR);
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      lock.l_len = 10;
      place.did("posix", ::fcntl(fd.get(), F_SETLK, &lock));
      place.did("flock", ::flock(fd.get(), LOCK_EX));
      const pid_t child = ::fork();
      if (child == 0) {
        const UniqueFd own(::open(place.path("small").c_str(), O_RDWR | O_CLOEXEC));
        const bool posix_free = ::fcntl(own.get(), F_SETLK, &lock) == 0;
        const bool flock_free = ::flock(own.get(), LOCK_EX | LOCK_NB) == 0;
        ::_exit((posix_free ? 1 : 0) + (flock_free ? 2 : 0));
      }
      int status = 0;
      (void)::waitpid(child, &status, 0);
      place.did("child", WEXITSTATUS(status));
      // One that waits for the lock can be killed.
      const pid_t waiter = ::fork();
      if (waiter == 0) {
        const UniqueFd own(::open(place.path("small").c_str(), O_RDWR | O_CLOEXEC));
        (void)::fcntl(own.get(), F_SETLKW, &lock);
        ::_exit(0);
      }
      ::usleep(50'000);
      ::kill(waiter, SIGKILL);
      (void)::waitpid(waiter, &status, 0);
      place.did("killed", WTERMSIG(status));
    });
  }

  TEST_CASE("programs run from the mount") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture([](Place& base) {
      base.did("cp", std::system(("cp /bin/true " + base.path("true")).c_str()));
      base.did("cp", std::system(("cp /bin/sleep " + base.path("sleep")).c_str()));
      base.write("script", "#!/bin/sh\nexit 7\n", O_WRONLY | O_CREAT);
      base.did("chmod", ::chmod(base.path("script").c_str(), 0755));
    });
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.did("true", std::system(place.path("true").c_str()));
      place.did("script", std::system(place.path("script").c_str()));
      const pid_t sleeper = ::fork();
      if (sleeper == 0) {
        ::execl(place.path("sleep").c_str(), "sleep", "30", nullptr);
        ::_exit(1);
      }
      ::usleep(100'000);
      const int fd = ::open(place.path("sleep").c_str(), O_WRONLY | O_CLOEXEC);
      place.did("text busy", fd);
      ::kill(sleeper, SIGKILL);
      (void)::waitpid(sleeper, nullptr, 0);
    });
  }

  TEST_CASE("a sparse file may have a tebibyte") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const UniqueFd fd = open(place, "huge", O_RDWR | O_CREAT);
      place.did("truncate", ::ftruncate(fd.get(), 1LL << 40));
      place.did("write", ::pwrite(fd.get(), "far", 3, (1LL << 40) - 3));
      place.stat("huge");
      place.did("data", ::lseek(fd.get(), 0, SEEK_DATA));
      std::string bytes(3, '\0');
      place.did("read", ::pread(fd.get(), bytes.data(), 3, (1LL << 40) - 3));
      place.saw("bytes", bytes);
    });
  }
}

}  // namespace satchel::test
