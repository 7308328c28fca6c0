#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <set>

#include "base/unique_fd.h"
#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

/// What an NFS server hands to its clients: names a file, not a place.
class Handle {
 public:
  static Handle of(const std::string& path) {
    Handle handle;
    int mount_id = 0;
    handle.raw()->handle_bytes = kBytesMax;
    REQUIRE_MESSAGE(::name_to_handle_at(AT_FDCWD, path.c_str(), handle.raw(), &mount_id, 0) == 0,
                    path);
    return handle;
  }

  /// Opens it below any directory of the mount; −1 and errno on failure.
  [[nodiscard]] UniqueFd open(const std::string& mount, int flags) {
    const UniqueFd root(::open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(root.valid());
    return UniqueFd(::open_by_handle_at(root.get(), raw(), flags | O_CLOEXEC));
  }

  [[nodiscard]] std::string bytes() {
    const auto* const start = reinterpret_cast<const char*>(raw()->f_handle);
    return {start, raw()->handle_bytes};
  }

 private:
  static constexpr unsigned kBytesMax = 128;
  file_handle* raw() { return reinterpret_cast<file_handle*>(bytes_.data()); }
  alignas(file_handle) std::array<std::byte, sizeof(file_handle) + kBytesMax> bytes_{};
};

/// The kernel forgets what nobody uses.
void drop_caches() {
  ::sync();
  const UniqueFd file(::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC));
  REQUIRE(file.valid());
  REQUIRE(::write(file.get(), "2", 1) == 1);
}

std::string read_by(Handle& handle, const std::string& mount) {
  const UniqueFd file = handle.open(mount, O_RDONLY);
  if (!file.valid()) return std::strerror(errno);
  std::array<char, 100> bytes{};
  const ssize_t size = ::read(file.get(), bytes.data(), bytes.size());
  return size < 0 ? std::strerror(errno)
                  : std::string(bytes.data(), static_cast<std::size_t>(size));
}

void make_base(Place& base) {
  for (const char* const name : {"dir", "dir/sub", "dir/sub/deep", "moved"}) {
    base.did("mkdir", ::mkdir(base.path(name).c_str(), 0755));
  }
  for (const char* const name : {"file", "dir/sub/deep/file", "moved/file", "linked", "switched"}) {
    base.write(name, std::string("base ") + name, O_WRONLY | O_CREAT);
  }
  base.did("link", ::link(base.path("linked").c_str(), base.path("dir/linked2").c_str()));
}

}  // namespace

TEST_SUITE("mount/export") {
  TEST_CASE("a handle finds its file after the kernel forgot it and after a restart") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_exported = true});
    const std::string mount = fixture.mnt("");
    Place view(fixture.folder("mnt").text);
    view.write("new", "new bytes", O_WRONLY | O_CREAT);
    std::vector<std::pair<Handle, std::string>> files;
    for (const char* const name : {"file", "dir/sub/deep/file", "moved/file", "linked"}) {
      files.emplace_back(Handle::of(fixture.mnt(name)), std::string("base ") + name);
    }
    files.emplace_back(Handle::of(fixture.mnt("new")), "new bytes");
    const auto check = [&](const std::string& when) {
      for (auto& [handle, bytes] : files) {
        CAPTURE(when);
        CHECK(read_by(handle, mount) == bytes);
      }
    };
    const auto check_always = [&](const std::string& what) {
      check(what);
      drop_caches();
      check(what + ", forgotten");
      fixture.unmount();
      fixture.mount({.is_exported = true});
      check(what + ", mounted again");
      fixture.kill();
      fixture.mount({.is_exported = true});
      check(what + ", after a crash");
    };
    check_always("untouched");
    // Each file of the base moves or changes, and is still itself.
    view.write("file", "file now", O_WRONLY | O_TRUNC);
    files[0].second = "file now";
    REQUIRE(::rename(fixture.mnt("moved").c_str(), fixture.mnt("dir/elsewhere").c_str()) == 0);
    REQUIRE(::unlink(fixture.mnt("linked").c_str()) == 0);
    REQUIRE(::rename(fixture.mnt("new").c_str(), fixture.mnt("dir/renamed").c_str()) == 0);
    check_always("changed and moved");
  }

  TEST_CASE("a handle of a directory leads back to where it stands") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_exported = true});
    Handle deep = Handle::of(fixture.mnt("dir/sub/deep"));
    REQUIRE(::rename(fixture.mnt("dir/sub").c_str(), fixture.mnt("other").c_str()) == 0);
    fixture.unmount();
    fixture.mount({.is_exported = true});
    const UniqueFd directory = deep.open(fixture.mnt(""), O_RDONLY | O_DIRECTORY);
    REQUIRE(directory.valid());
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(directory.get());
    REQUIRE(::readlink(link.c_str(), path.data(), path.size() - 1) > 0);
    CHECK(std::string(path.data()) == fixture.mnt("other/deep"));
  }

  TEST_CASE("what is gone is ESTALE, whatever has its name now") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_exported = true});
    Place view(fixture.folder("mnt").text);
    Handle file = Handle::of(fixture.mnt("file"));
    Handle deep = Handle::of(fixture.mnt("dir/sub/deep/file"));
    Handle directory = Handle::of(fixture.mnt("dir/sub/deep"));
    std::set<std::string> known{file.bytes(), deep.bytes(), directory.bytes()};
    REQUIRE(::unlink(fixture.mnt("file").c_str()) == 0);
    REQUIRE(::unlink(fixture.mnt("dir/sub/deep/file").c_str()) == 0);
    REQUIRE(::rmdir(fixture.mnt("dir/sub/deep").c_str()) == 0);
    for (int round = 0; round < 2; ++round) {
      view.write("file", "another file", O_WRONLY | O_CREAT);
      known.insert(Handle::of(fixture.mnt("file")).bytes());
      for (Handle* const gone : {&file, &deep, &directory}) {
        CHECK_FALSE(gone->open(fixture.mnt(""), O_RDONLY).valid());
        CHECK(errno == ESTALE);
      }
      fixture.kill();
      fixture.mount({.is_exported = true});
      REQUIRE(::unlink(fixture.mnt("file").c_str()) == 0);
    }
    CHECK(known.size() == 5);  // no handle was given twice
  }

  TEST_CASE("a handle outlasts a base switch that leaves its file alone") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_exported = true});
    Place view(fixture.folder("mnt").text);
    view.write("file", "synced bytes", O_WRONLY | O_TRUNC);
    Handle file = Handle::of(fixture.mnt("file"));
    Handle other = Handle::of(fixture.mnt("dir/sub/deep/file"));
    Handle switched = Handle::of(fixture.mnt("switched"));
    const std::string next = fixture.folder("next").text;
    const std::string copy =
        "cp -a " + fixture.mnt("") + " " + next + " && rm " + next + "/switched";
    REQUIRE(std::system(copy.c_str()) == 0);  // NOLINT(concurrency-mt-unsafe): one thread
    fixture.switch_base(fixture.import({next}));
    drop_caches();
    CHECK(read_by(other, fixture.mnt("")) == "base dir/sub/deep/file");
    CHECK(read_by(file, fixture.mnt("")) == "synced bytes");
    CHECK_FALSE(switched.open(fixture.mnt(""), O_RDONLY).valid());
    CHECK(errno == ESTALE);
    fixture.unmount();
  }

  TEST_CASE("without export a forgotten handle is ESTALE and never another file") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    Handle file = Handle::of(fixture.mnt("file"));
    CHECK(read_by(file, fixture.mnt("")) == "base file");
    fixture.unmount();
    fixture.mount();
    struct stat ignored {};
    REQUIRE(::stat(fixture.mnt("dir/sub").c_str(), &ignored) == 0);
    const std::string found = read_by(file, fixture.mnt(""));
    CHECK(found == std::strerror(ESTALE));
  }
}

}  // namespace satchel::test
