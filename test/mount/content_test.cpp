#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

constexpr long kLeaf = 64 << 10;
constexpr std::size_t kBigBytes = 8U << 20U;

std::string noise(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed;
  for (char& byte : bytes) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<char>(state >> 24U);
  }
  return bytes;
}

void make_base(Place& base) {
  base.did("mkdir", ::mkdir(base.path("dir").c_str(), 0755));
  base.write("dir/small", noise(3'000, 1), O_WRONLY | O_CREAT);
  base.write("dir/limit", noise(16'384, 2), O_WRONLY | O_CREAT);
  base.write("dir/leaf", noise(65'536, 3), O_WRONLY | O_CREAT);
  base.write("big", noise(kBigBytes, 4), O_WRONLY | O_CREAT);
}

void walk(const MountFixture& fixture) {
  const std::string command = "find " + fixture.folder("mnt").text + " -ls > /dev/null";
  REQUIRE(std::system(command.c_str()) == 0);
}

void read_at(const MountFixture& fixture, const char* name, off_t offset, std::size_t size) {
  const UniqueFd fd(::open(fixture.mnt(name).c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  REQUIRE(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM) ==
          0);  // no read-ahead of the kernel's
  std::string bytes(size, '\0');
  REQUIRE(::pread(fd.get(), bytes.data(), size, offset) == static_cast<ssize_t>(size));
}

}  // namespace

TEST_SUITE("mount/content") {
  TEST_CASE("mounting and walking fetch no content, reading fetches what is read") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_image = true});
    const long empty = fixture.status_number("cache_bytes");
    walk(fixture);
    CHECK(fixture.status_number("bytes_from_repo") == 0);
    CHECK(fixture.status_number("cache_bytes") == empty);
    read_at(fixture, "big", 5 << 20, 4096);
    const long first = fixture.status_number("bytes_from_repo");
    CHECK(first > 0);
    // A leaf is cut out of chunks of at most 128 KiB.
    CHECK(first <= kLeaf + 2 * (128 << 10));
    CHECK(fixture.status_number("cache_bytes") <= empty + 2 * kLeaf);
    read_at(fixture, "big", (5 << 20) + 8192, 4096);
    CHECK(fixture.status_number("bytes_from_repo") == first);
    read_at(fixture, "dir/small", 0, 3'000);
    CHECK(fixture.status_number("bytes_from_repo") <= first + 3'000);
  }

  TEST_CASE("content is the same, and is read from this device the second time") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    for (const bool is_image : {true, false}) {
      fixture.mount({.is_image = is_image});
      fixture.compare_trees();
      fixture.unmount();
    }
    fixture.mount({.is_image = true});
    fixture.compare_trees();
    CHECK(fixture.status_number("bytes_from_repo") == 0);
    CHECK(fixture.status_number("cache_bytes") >= static_cast<long>(kBigBytes));
  }

  TEST_CASE("readers of one file at once get the same bytes, fetched once") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_image = true});
    std::array<pid_t, 8> readers{};
    for (pid_t& reader : readers) {
      reader = ::fork();
      if (reader == 0) {
        const std::string command =
            "cmp -s " + fixture.mnt("big") + " " + fixture.folder("plain").text + "/big";
        ::_exit(std::system(command.c_str()) == 0 ? 0 : 1);
      }
    }
    for (const pid_t reader : readers) {
      int status = 0;
      REQUIRE(::waitpid(reader, &status, 0) == reader);
      CHECK(status == 0);
    }
    CHECK(fixture.status_number("bytes_from_repo") <= static_cast<long>(kBigBytes * 2));
  }

  TEST_CASE("what is here can be read while the repository is away, the rest is ENETUNREACH") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    read_at(fixture, "dir/small", 0, 3'000);
    walk(fixture);
    REQUIRE(::rename(fixture.folder("repo").c_str(), fixture.folder("away").c_str()) == 0);
    REQUIRE(std::system("echo 1 > /proc/sys/vm/drop_caches") == 0);
    read_at(fixture, "dir/small", 0, 3'000);
    Place view(fixture.folder("mnt").text);
    view.write("new", "work goes on", O_WRONLY | O_CREAT);
    view.read("new");
    CHECK(view.record().back() == "read new: work goes on");
    const UniqueFd fd(::open(fixture.mnt("big").c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(4096, '\0');
    CHECK(::pread(fd.get(), bytes.data(), bytes.size(), 0) == -1);
    CHECK(errno == ENETUNREACH);
    REQUIRE(::rename(fixture.folder("away").c_str(), fixture.folder("repo").c_str()) == 0);
    CHECK(::pread(fd.get(), bytes.data(), bytes.size(), 0) == 4096);
  }
}

}  // namespace satchel::test
