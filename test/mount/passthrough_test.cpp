#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/unique_fd.h"
#include "test/mount/fixture.h"
#include "test/mount/mapped_page.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

constexpr std::size_t kBigBytes = 300'000;
constexpr std::size_t kMediumBytes = 40'000;  // an object, but not worth a registration

std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (i * 7 + seed) % 26);
  return bytes;
}

void make_base(Place& base) {
  base.write("big", pattern(kBigBytes, 1), O_WRONLY | O_CREAT);
  base.write("other", pattern(kBigBytes, 2), O_WRONLY | O_CREAT);
  base.write("small", "small", O_WRONLY | O_CREAT);
  base.write("medium", pattern(kMediumBytes, 4), O_WRONLY | O_CREAT);
  base.did("link", ::link(base.path("big").c_str(), base.path("linked").c_str()));
}

UniqueFd open_in(const MountFixture& fixture, const char* name, int flags) {
  UniqueFd fd(::open(fixture.mnt(name).c_str(), flags | O_CLOEXEC, 0644));
  const std::string why = std::string(name) + ": " + std::strerror(errno);
  REQUIRE_MESSAGE(fd.valid(), why);
  return fd;
}

std::string read_at(int fd, off_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t count = ::pread(fd, bytes.data(), size, offset);
  REQUIRE(count >= 0);
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

std::string read_whole(const MountFixture& fixture, const char* name) {
  const UniqueFd fd = open_in(fixture, name, O_RDONLY);
  return read_at(fd.get(), 0, 2 * kBigBytes);
}

struct stat stat_of(int fd) {
  struct stat found {};
  REQUIRE(::fstat(fd, &found) == 0);
  return found;
}

bool is_later(const timespec& first, const timespec& second) {
  return first.tv_sec != second.tv_sec ? first.tv_sec > second.tv_sec
                                       : first.tv_nsec > second.tv_nsec;
}

/// Longer than the step of the kernel's clock for times of files.
void wait_for_next_tick() {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

/// Makes the content of `name` whole on this device.
void fetch(const MountFixture& fixture, const char* name) {
  REQUIRE(read_whole(fixture, name).size() == kBigBytes);
}

/// READ and WRITE requests so far.
long requests(MountFixture& fixture) {
  return std::max(0L, fixture.status_number("requests_read")) +
         std::max(0L, fixture.status_number("requests_write"));
}

std::string status_text(MountFixture& fixture, std::string_view key) {
  const auto status = fixture.call("status");
  REQUIRE(status);
  return std::string(fs::find_field(*status, key));
}

}  // namespace

TEST_SUITE("mount/passthrough") {
  // Nothing falls back in silence: where root mounts, this holds.
  TEST_CASE(
      "root's mount reads whole objects and reads and writes changed files without requests") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    CHECK(status_text(fixture, "transport") == "io_uring");
    CHECK(status_text(fixture, "passthrough") == "on");
    for (const char* const name : {"big", "other"}) fetch(fixture, name);
    const long before = requests(fixture);
    CHECK(read_whole(fixture, "big") == pattern(kBigBytes, 1));
    const UniqueFd fresh = open_in(fixture, "fresh", O_RDWR | O_CREAT);
    const std::string bytes = pattern(100'000, 3);
    REQUIRE(::pwrite(fresh.get(), bytes.data(), bytes.size(), 0) == 100'000);
    CHECK(read_at(fresh.get(), 0, bytes.size()) == bytes);
    const UniqueFd end = open_in(fixture, "fresh", O_WRONLY | O_APPEND);
    REQUIRE(::write(end.get(), "end", 3) == 3);
    CHECK(read_at(fresh.get(), 99'999, 10).size() == 4);
    void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fresh.get(), 0);
    REQUIRE(page != MAP_FAILED);
    CHECK(std::memcmp(page, bytes.data(), 4096) == 0);
    ::munmap(page, 4096);
    const UniqueFd copied = open_in(fixture, "other", O_RDWR);
    REQUIRE(::pwrite(copied.get(), "changed", 7, 5) == 7);
    CHECK(requests(fixture) == before);
    CHECK(read_at(copied.get(), 0, 20) == pattern(5, 2) + "changed" + pattern(20, 2).substr(12));
  }

  TEST_CASE("a new file's attributes are remembered until its bytes change") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    const UniqueFd fresh = open_in(fixture, "fresh", O_RDWR | O_CREAT);
    const long asked = fixture.status_number("requests_getattr");
    const auto made = stat_of(fresh.get());
    CHECK(made.st_size == 0);
    CHECK(fixture.status_number("requests_getattr") == asked);
    wait_for_next_tick();
    REQUIRE(::pwrite(fresh.get(), "bytes", 5, 0) == 5);
    const auto written = stat_of(fresh.get());
    CHECK(written.st_size == 5);
    CHECK(is_later(written.st_mtim, made.st_mtim));
    REQUIRE(::ftruncate(fresh.get(), 4096) == 0);
    const auto grown = stat_of(fresh.get());
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fresh.get(), 0);
    REQUIRE(page != MAP_FAILED);
    wait_for_next_tick();
    std::memcpy(page, "store", 5);
    CHECK(is_later(stat_of(fresh.get()).st_mtim, grown.st_mtim));
    ::munmap(page, 4096);
  }

  TEST_CASE("a small base file that was read is not asked for again") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    for (const char* const name : {"small", "medium"}) {
      CAPTURE(name);
      const long none = requests(fixture);
      const std::string first = read_whole(fixture, name);
      CHECK(first == (name == std::string_view("small") ? "small" : pattern(kMediumBytes, 4)));
      const long before = requests(fixture);
      CHECK(before > none);
      CHECK(read_whole(fixture, name) == first);
      CHECK(requests(fixture) == before);
    }
  }

  TEST_CASE("direct input and output goes past the daemon") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    const UniqueFd fd(::open(fixture.mnt("direct").c_str(), O_RDWR | O_CREAT | O_DIRECT, 0644));
    if (!fd.valid()) SATCHEL_SKIP("the store's filesystem knows no O_DIRECT");
    const std::unique_ptr<void, decltype(&::free)> buffer(::aligned_alloc(4096, 8192), &::free);
    std::memset(buffer.get(), 'd', 8192);
    REQUIRE(::pwrite(fd.get(), buffer.get(), 8192, 4096) == 8192);
    REQUIRE(::pread(fd.get(), buffer.get(), 4096, 0) == 4096);
    CHECK(static_cast<char*>(buffer.get())[0] == '\0');
    CHECK(stat_of(fd.get()).st_size == 12'288);
    CHECK(requests(fixture) == 0);
  }

  TEST_CASE("a base file that is open for reading can be written, under every name") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fetch(fixture, "big");
    const UniqueFd old = open_in(fixture, "linked", O_RDONLY);
    const auto ino = stat_of(old.get()).st_ino;
    const UniqueFd writer = open_in(fixture, "big", O_RDWR);
    REQUIRE(::pwrite(writer.get(), "NEW", 3, 0) == 3);
    REQUIRE(::ftruncate(writer.get(), 1000) == 0);
    const std::string now = "NEW" + pattern(1000, 1).substr(3);
    for (const char* const name : {"big", "linked"}) {
      CHECK(read_whole(fixture, name) == now);
      const UniqueFd fd = open_in(fixture, name, O_RDWR);
      CHECK(stat_of(fd.get()).st_ino == ino);
      CHECK(stat_of(fd.get()).st_nlink == 2);
      CHECK(read_at(fd.get(), 0, 10) == now.substr(0, 10));
    }
    // What the old descriptor reads is what was there; of the file it says what is.
    CHECK(read_at(old.get(), 0, kBigBytes) == pattern(kBigBytes, 1));
    CHECK(stat_of(old.get()).st_size == 1000);
    CHECK(stat_of(old.get()).st_ino == ino);
    REQUIRE(::fchmod(old.get(), 0600) == 0);
    CHECK(stat_of(writer.get()).st_mode == (S_IFREG | 0600));
    REQUIRE(::ftruncate(writer.get(), 10) == 0);
    CHECK(stat_of(old.get()).st_size == 10);
  }

  TEST_CASE("paths to a base file that is open for reading truncate, change and replace it") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    for (const char* const name : {"big", "other"}) fetch(fixture, name);
    fixture.on_both([](Place& place) {
      std::array<UniqueFd, 2> held;
      for (std::size_t i = 0; i < held.size(); ++i) {
        const std::string path = place.path(i == 0 ? "big" : "other");
        held.at(i) = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      }
      place.did("truncate", ::truncate(place.path("big").c_str(), 70'000));
      place.stat("linked");
      place.read("linked");
      place.did("chmod", ::chmod(place.path("linked").c_str(), 0640));
      place.stat("big");
      place.write("big", "appended", O_WRONLY | O_APPEND);
      place.read("big");
      place.write("linked", "over", O_WRONLY);
      place.read("big");
      place.write("other", "short", O_WRONLY | O_TRUNC);
      place.read("other");
      place.did("rename", ::rename(place.path("small").c_str(), place.path("other").c_str()));
      place.read("other");
      place.stat("big");
    });
    fixture.compare_trees();
  }

  TEST_CASE("a store through a mapping shows after the file was closed") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    MappedPage page;
    {
      const UniqueFd fd = open_in(fixture, "mapped", O_RDWR | O_CREAT);
      REQUIRE(::pwrite(fd.get(), pattern(9'000, 4).data(), 9'000, 0) == 9'000);
      REQUIRE(page.map(fd.get()) == 0);
    }
    REQUIRE(page.store(10, '!'));
    CHECK(read_whole(fixture, "mapped")[10] == '!');
    // The kernel may know nothing of the file any more; who can still write to it counts.
    REQUIRE(std::system("echo 2 > /proc/sys/vm/drop_caches") == 0);
    REQUIRE(page.store(11, '?'));
    CHECK(read_whole(fixture, "mapped").substr(10, 2) == "!?");
    // A base switch does not take the bytes over while they may change.
    fixture.switch_base(fixture.import(fixture.folder("base")));
    REQUIRE(page.store(12, '.'));
    CHECK(read_whole(fixture, "mapped").substr(10, 3) == "!?.");
    CHECK(::truncate(fixture.mnt("mapped").c_str(), 100) == 0);
    REQUIRE(page.store(13, ','));
    CHECK(read_whole(fixture, "mapped").substr(10, 4) == "!?.,");
  }

  TEST_CASE("bytes of a removed file go when nobody has them any more") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    const auto are_gone = [&] {
      for (int tries = 0; tries < 300 && fixture.files_in_upper() > 0; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      return fixture.files_in_upper() == 0;
    };
    {
      const UniqueFd allocated = open_in(fixture, "allocated", O_RDWR | O_CREAT);
      REQUIRE(::posix_fallocate(allocated.get(), 0, kBigBytes) == 0);
    }
    REQUIRE(::unlink(fixture.mnt("allocated").c_str()) == 0);
    CHECK(are_gone());
    MappedPage page;
    {
      const UniqueFd mapped = open_in(fixture, "mapped", O_RDWR | O_CREAT);
      REQUIRE(::ftruncate(mapped.get(), kBigBytes) == 0);
      REQUIRE(page.map(mapped.get()) == 0);
    }
    REQUIRE(::unlink(fixture.mnt("mapped").c_str()) == 0);
    REQUIRE(page.store(10, '!'));
    CHECK(fixture.files_in_upper() == 1);
    page.unmap();
    CHECK(are_gone());
  }

  TEST_CASE("size and times are right at any moment while the kernel writes") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    UniqueFd fd = open_in(fixture, "grows", O_RDWR | O_CREAT);
    struct stat before = stat_of(fd.get());
    for (int i = 1; i <= 5; ++i) {
      ::usleep(12'000);
      REQUIRE(::write(fd.get(), "0123456789", 10) == 10);
      struct stat now {};
      REQUIRE(::stat(fixture.mnt("grows").c_str(), &now) == 0);
      CHECK(now.st_size == 10L * i);
      CHECK(is_later(now.st_mtim, before.st_mtim));
      CHECK(is_later(now.st_ctim, before.st_ctim));
      before = now;
    }
    // Times that were set stay until the next write.
    const timespec times[2] = {{1'000, 1}, {2'000, 2}};
    REQUIRE(::futimens(fd.get(), times) == 0);
    CHECK(stat_of(fd.get()).st_mtim.tv_sec == 2'000);
    CHECK(stat_of(fd.get()).st_atim.tv_sec == 1'000);
    ::usleep(12'000);
    REQUIRE(read_at(fd.get(), 0, 10).size() == 10);
    CHECK(is_later(stat_of(fd.get()).st_atim, before.st_mtim));  // relatime
    CHECK(stat_of(fd.get()).st_mtim.tv_sec == 2'000);
    REQUIRE(::write(fd.get(), "x", 1) == 1);
    CHECK(is_later(stat_of(fd.get()).st_mtim, before.st_mtim));
    const struct stat last = stat_of(fd.get());
    fd.reset();
    fixture.unmount();
    fixture.mount();
    struct stat found {};
    REQUIRE(::stat(fixture.mnt("grows").c_str(), &found) == 0);
    CHECK(found.st_size == 51);
    CHECK(found.st_mtim.tv_sec == last.st_mtim.tv_sec);
    CHECK(found.st_mtim.tv_nsec == last.st_mtim.tv_nsec);
  }

  TEST_CASE("privileged bits and capabilities go with a write that the daemon does not see") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.write("tool", "tool", O_WRONLY | O_CREAT);
      place.did("chmod", ::chmod(place.path("tool").c_str(), 0777));
      as_user(place, 1000, 1000, {}, [](Place& mine) {
        const UniqueFd fd(::open(mine.path("tool").c_str(), O_RDWR | O_CLOEXEC));
        mine.did("write", ::write(fd.get(), "1", 1));
        mine.stat("tool");
      });
      // The bits come while it is open for writing.
      const UniqueFd fd(::open(place.path("tool").c_str(), O_RDWR | O_CLOEXEC));
      place.did("fchmod", ::fchmod(fd.get(), 06777));
      place.did("write", ::write(fd.get(), "2", 1));
      place.stat("tool");  // root keeps them
      as_user(place, 1000, 1000, {}, [](Place& mine) {
        mine.stat("tool");
        mine.write("tool", "3", O_WRONLY);
        mine.stat("tool");
      });
      place.did("xattr", ::fsetxattr(fd.get(), "user.kept", "v", 1, 0));
      constexpr std::array<unsigned char, 20> kCapability = {1, 0, 0, 2, 0, 32};
      place.did("setcap", ::fsetxattr(fd.get(), "security.capability", kCapability.data(),
                                      kCapability.size(), 0));
      place.did("write", ::write(fd.get(), "4", 1));
      std::array<char, 100> value{};
      place.did("getcap", ::fgetxattr(fd.get(), "security.capability", value.data(), value.size()));
      place.did("getxattr", ::fgetxattr(fd.get(), "user.kept", value.data(), value.size()));
    });
    fixture.compare_trees();
  }

  TEST_CASE("limits, holes, allocation and copies work on what the kernel writes") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fetch(fixture, "big");
    fixture.on_both([](Place& place) {
      const UniqueFd fd(::open(place.path("made").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
      place.did("write", ::pwrite(fd.get(), pattern(50'000, 5).data(), 50'000, 0));
      place.did("punch",
                ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 16'384));
      place.did("hole", ::lseek(fd.get(), 0, SEEK_HOLE));
      place.did("data", ::lseek(fd.get(), 8192, SEEK_DATA));
      place.did("end", ::lseek(fd.get(), 0, SEEK_END));
      place.did("grow", ::fallocate(fd.get(), 0, 0, 60'000));
      place.stat("made");
      place.did("zero", ::fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, 1000, 1000));
      place.did("write past", ::pwrite(fd.get(), "past", 4, 70'000));
      place.stat("made");
      const UniqueFd from(::open(place.path("big").c_str(), O_RDONLY | O_CLOEXEC));
      off_t in = 100;
      off_t out = 200;
      place.did("copy", ::copy_file_range(from.get(), &in, fd.get(), &out, 5000, 0));
      place.read("made");
      const auto handler = ::signal(SIGXFSZ, SIG_IGN);
      rlimit before{};
      ::getrlimit(RLIMIT_FSIZE, &before);
      const rlimit limit{.rlim_cur = 80'000, .rlim_max = before.rlim_max};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      place.did("within", ::pwrite(fd.get(), "within", 6, 79'000));
      place.did("cut", ::pwrite(fd.get(), "cut off", 7, 79'996));
      place.did("beyond", ::pwrite(fd.get(), "beyond", 6, 80'000));
      ::setrlimit(RLIMIT_FSIZE, &before);
      ::signal(SIGXFSZ, handler);
      place.did("append", ::fcntl(fd.get(), F_SETFL, O_APPEND));
      place.did("at the end", ::pwrite(fd.get(), "end", 3, 0));
      place.did("no append", ::fcntl(fd.get(), F_SETFL, 0));
      place.did("at the start", ::pwrite(fd.get(), "start", 5, 0));
      place.did("sync", ::fsync(fd.get()));
      place.read("made");
    });
    fixture.compare_trees();
  }

  TEST_CASE("bytes survive a kill of the daemon, with their size") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    {
      const UniqueFd fd = open_in(fixture, "survivor", O_RDWR | O_CREAT);
      REQUIRE(::write(fd.get(), pattern(30'000, 6).data(), 30'000) == 30'000);
      const UniqueFd changed = open_in(fixture, "small", O_WRONLY | O_APPEND);
      REQUIRE(::write(changed.get(), " and more", 9) == 9);
      fixture.kill();
    }
    fixture.mount();
    CHECK(read_whole(fixture, "survivor") == pattern(30'000, 6));
    CHECK(read_whole(fixture, "small") == "small and more");
  }

  TEST_CASE("an exported mount serves base files, so that their handles stay") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_exported = true});
    fetch(fixture, "big");
    const long before = fixture.status_number("requests_open");
    const UniqueFd reader = open_in(fixture, "big", O_RDONLY);
    const UniqueFd writer = open_in(fixture, "big", O_RDWR);
    REQUIRE(::pwrite(writer.get(), "NEW", 3, 0) == 3);
    CHECK(read_at(reader.get(), 0, 3) == "NEW");  // one node, so one content
    CHECK(fixture.status_number("requests_open") == before + 2);
    const UniqueFd made = open_in(fixture, "made", O_RDWR | O_CREAT);
    const long served = requests(fixture);
    REQUIRE(::pwrite(made.get(), "made", 4, 0) == 4);
    CHECK(requests(fixture) == served);
  }
}

}  // namespace satchel::test
