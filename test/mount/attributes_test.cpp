#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

void make_base(Place& base) {
  base.did("mkdir", ::mkdir(base.path("dir").c_str(), 0755));
  base.write("file", "bytes", O_WRONLY | O_CREAT);
  base.write("dir/other", "other bytes", O_WRONLY | O_CREAT);
  base.did("xattr", ::setxattr(base.path("file").c_str(), "user.base", "value", 5, 0));
  base.did("symlink", ::symlink("file", base.path("link").c_str()));
  const std::array<timespec, 2> times{{{1'000'000'000, 123'456'789}, {-5, 987'654'321}}};
  base.did("times", ::utimensat(AT_FDCWD, base.path("file").c_str(), times.data(), 0));
}

void saw_times(Place& place, const char* name, bool with_atime) {
  struct stat stat {};
  place.did("stat", ::lstat(place.path(name).c_str(), &stat));
  if (with_atime) {
    place.saw("atime",
              std::to_string(stat.st_atim.tv_sec) + "." + std::to_string(stat.st_atim.tv_nsec));
  }
  place.saw("mtime",
            std::to_string(stat.st_mtim.tv_sec) + "." + std::to_string(stat.st_mtim.tv_nsec));
}

void saw_xattr_names(Place& place, const char* name) {
  std::array<char, 1024> list{};
  const long size = ::listxattr(place.path(name).c_str(), list.data(), list.size());
  std::vector<std::string> names;
  for (long at = 0; at < size; at += static_cast<long>(names.back().size()) + 1) {
    names.emplace_back(list.data() + at);
  }
  std::ranges::sort(names);
  for (const std::string& found : names) place.saw("listed", found);
  place.did("list", size);
}

int flags_of(int fd) {
  int flags = -1;
  return ::ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 ? flags : -errno;
}
int set_flags(int fd, int flags) {
  return ::ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0 ? 0 : errno;
}

}  // namespace

TEST_SUITE("mount/attributes") {
  TEST_CASE("modes, owners and times to the nanosecond are kept") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      saw_times(place, "file", false);
      for (const char* const name : {"file", "dir", "dir/other"}) {
        place.did("chmod", ::chmod(place.path(name).c_str(), 04711));
        place.did("chown", ::chown(place.path(name).c_str(), 1234, 5678));
        place.stat(name);
        const std::array<timespec, 2> times{{{-1, 999'999'999}, {4'000'000'000, 1}}};
        place.did("times", ::utimensat(AT_FDCWD, place.path(name).c_str(), times.data(), 0));
        saw_times(place, name, true);
        const std::array<timespec, 2> omitted{{{0, UTIME_OMIT}, {77, 5}}};
        place.did("times", ::utimensat(AT_FDCWD, place.path(name).c_str(), omitted.data(), 0));
        saw_times(place, name, true);
      }
      const std::array<timespec, 2> times{{{11, 12}, {13, 14}}};
      place.did("link", ::utimensat(AT_FDCWD, place.path("link").c_str(), times.data(),
                                    AT_SYMLINK_NOFOLLOW));
      saw_times(place, "link", true);
      place.did("lchown", ::lchown(place.path("link").c_str(), 7, 8));
      place.stat("link");
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
    fixture.on_both([](Place& place) { saw_times(place, "file", false); });
  }

  TEST_CASE("times move as they do on a disk") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const auto moved = [&](const char* name, const char* what, const auto& change) {
        const std::array<timespec, 2> old{{{1'000, 0}, {1'000, 0}}};
        (void)::utimensat(AT_FDCWD, place.path(name).c_str(), old.data(), AT_SYMLINK_NOFOLLOW);
        struct stat before {};
        (void)::lstat(place.path(name).c_str(), &before);
        ::usleep(20'000);
        change();
        struct stat after {};
        (void)::lstat(place.path(name).c_str(), &after);
        const auto differs = [](const timespec& a, const timespec& b) {
          return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
        };
        place.saw(std::string(what) + " moves mtime, ctime",
                  std::string(differs(before.st_mtim, after.st_mtim) ? "yes " : "no ") +
                      (differs(before.st_ctim, after.st_ctim) ? "yes" : "no"));
      };
      moved("file", "write", [&] { place.write("file", "b", O_WRONLY); });
      moved("file", "open with O_TRUNC", [&] { place.write("file", "", O_WRONLY | O_TRUNC); });
      moved("file", "open with O_TRUNC when empty",
            [&] { place.write("file", "", O_WRONLY | O_TRUNC); });
      moved("file", "truncate to the same size",
            [&] { (void)::truncate(place.path("file").c_str(), 0); });
      moved("file", "truncate", [&] { (void)::truncate(place.path("file").c_str(), 9); });
      moved("file", "chmod", [&] { (void)::chmod(place.path("file").c_str(), 0600); });
      moved("file", "setxattr",
            [&] { (void)::setxattr(place.path("file").c_str(), "user.t", "", 0, 0); });
      moved("file", "link",
            [&] { (void)::link(place.path("file").c_str(), place.path("two").c_str()); });
      moved("file", "unlink of another name", [&] { (void)::unlink(place.path("two").c_str()); });
      moved("file", "rename", [&] {
        (void)::rename(place.path("file").c_str(), place.path("f").c_str());
        (void)::rename(place.path("f").c_str(), place.path("file").c_str());
      });
      moved("dir", "create inside", [&] { place.write("dir/new", "", O_WRONLY | O_CREAT); });
      moved("dir", "unlink inside", [&] { (void)::unlink(place.path("dir/new").c_str()); });
      moved("dir", "write inside", [&] { place.write("dir/other", "x", O_WRONLY); });
      moved("dir", "rename inside",
            [&] { (void)::rename(place.path("dir/other").c_str(), place.path("dir/o").c_str()); });
    });
  }

  TEST_CASE("extended attributes are set, listed, removed and bounded") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const std::string file = place.path("file");
      std::array<char, 8> tiny{};
      place.did("get", ::getxattr(file.c_str(), "user.base", tiny.data(), tiny.size()));
      place.did("get size", ::getxattr(file.c_str(), "user.base", nullptr, 0));
      place.did("get into too little", ::getxattr(file.c_str(), "user.base", tiny.data(), 2));
      place.did("get missing", ::getxattr(file.c_str(), "user.none", tiny.data(), 8));
      place.did("create", ::setxattr(file.c_str(), "user.base", "x", 1, XATTR_CREATE));
      place.did("replace", ::setxattr(file.c_str(), "user.none", "x", 1, XATTR_REPLACE));
      place.did("set", ::setxattr(file.c_str(), "user.new", "", 0, 0));
      const std::string large(2'000, 'v');
      place.did("large", ::setxattr(file.c_str(), "user.large", large.data(), large.size(), 0));
      const std::string beyond(70'000, 'v');
      place.did("beyond", ::setxattr(file.c_str(), "user.beyond", beyond.data(), beyond.size(), 0));
      place.did("trusted", ::setxattr(file.c_str(), "trusted.t", "t", 1, 0));
      place.did("unknown", ::setxattr(file.c_str(), "unknown.t", "t", 1, 0));
      place.did("remove", ::removexattr(file.c_str(), "user.base"));
      place.did("remove again", ::removexattr(file.c_str(), "user.base"));
      place.did("directory", ::setxattr(place.path("dir").c_str(), "user.d", "d", 1, 0));
      place.did("symlink", ::lsetxattr(place.path("link").c_str(), "user.l", "l", 1, 0));
      place.did("symlink trusted", ::lsetxattr(place.path("link").c_str(), "trusted.l", "l", 1, 0));
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
  }

  // What is not there was ENODATA whatever it was called, and both flags at once were EINVAL.
  TEST_CASE("an xattr that cannot be or is not there fails as on a disk") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const std::string file = place.path("file");
      std::array<char, 8> value{};
      for (const char* const name : {"user.", "trusted.", "security.", "system.", "foo", "foo.bar",
                                     "system.foo", "user.none", "trusted.none", "security.none"}) {
        place.did(name, ::getxattr(file.c_str(), name, value.data(), value.size()));
        place.did("remove", ::removexattr(file.c_str(), name));
      }
      for (const char* const name : {"user.", "trusted.", "system.", "foo", "foo.bar"}) {
        place.did(name, ::setxattr(file.c_str(), name, "x", 1, 0));
      }
      constexpr int kBoth = XATTR_CREATE | XATTR_REPLACE;
      place.did("both, absent", ::setxattr(file.c_str(), "user.none", "x", 1, kBoth));
      place.did("both, there", ::setxattr(file.c_str(), "user.base", "x", 1, kBoth));
    });
    fixture.compare_trees();
  }

  // Removing an ACL that is not there, or setting an empty one, was ENODATA: setfacl(1) and
  // programs that copy files do so without looking first.
  TEST_CASE("a file without an ACL can lose it") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const std::array<char, 4> empty{2, 0, 0, 0};  // the version alone
      for (const char* const acl : {"system.posix_acl_access", "system.posix_acl_default"}) {
        for (const char* const name : {"file", "dir"}) {
          const std::string path = place.path(name);
          place.did("remove", ::removexattr(path.c_str(), acl));
          place.did("empty", ::setxattr(path.c_str(), acl, empty.data(), empty.size(), 0));
          place.did("get", ::getxattr(path.c_str(), acl, nullptr, 0));
          place.stat(name);
        }
      }
    });
  }

  // They were listed to everybody, though nobody else may read them: rsync -X fails at such a name.
  TEST_CASE("trusted xattrs are listed to administrators alone") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.did("trusted", ::setxattr(place.path("file").c_str(), "trusted.t", "t", 1, 0));
      saw_xattr_names(place, "file");
      as_user(place, 1000, 1000, {}, [](Place& mine) { saw_xattr_names(mine, "file"); });
      // Another user, with root's capabilities.
      (void)::setfsuid(1000);
      saw_xattr_names(place, "file");
      (void)::setfsuid(0);
    });
  }

  TEST_CASE("inode numbers stay over remounts and differ between files") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    Place view(fixture.folder("mnt").text);
    view.write("new", "new", O_WRONLY | O_CREAT);
    view.write("file", "changed", O_WRONLY);
    const auto numbers = [&] {
      std::vector<ino_t> result;
      for (const char* const name : {"", "file", "dir", "dir/other", "link", "new"}) {
        struct stat stat {};
        REQUIRE(::lstat(view.path(name).c_str(), &stat) == 0);
        result.push_back(stat.st_ino);
      }
      return result;
    };
    const auto before = numbers();
    for (std::size_t i = 0; i < before.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) CHECK(before[i] != before[j]);
    }
    fixture.unmount();
    fixture.mount();
    CHECK(numbers() == before);
    REQUIRE(::rename(view.path("dir").c_str(), view.path("moved").c_str()) == 0);
    struct stat stat {};
    REQUIRE(::stat(view.path("moved/other").c_str(), &stat) == 0);
    CHECK(stat.st_ino == before[3]);
  }

  TEST_CASE("statfs tells of the filesystem that holds the store") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    struct statvfs view {};
    struct statvfs plain {};
    REQUIRE(::statvfs(fixture.mnt("").c_str(), &view) == 0);
    REQUIRE(::statvfs(fixture.folder("plain").c_str(), &plain) == 0);
    CHECK(view.f_blocks * view.f_frsize == plain.f_blocks * plain.f_frsize);
    CHECK(view.f_files == plain.f_files);
    CHECK(view.f_namemax == 255);
  }

  TEST_CASE("no file has flags of chattr, and none is taken that would not be kept") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    for (const auto transport : {fs::TransportChoice::kAuto, fs::TransportChoice::kDevFuse}) {
      fixture.mount({.transport = transport});
      UniqueFd made(::open(fixture.mnt("made").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
      for (const char* const name : {"file", "made", "dir", ""}) {
        CAPTURE(std::string(name));
        const UniqueFd fd(::open(fixture.mnt(name).c_str(), O_RDONLY | O_CLOEXEC));
        REQUIRE(fd.valid());
        CHECK(flags_of(fd.get()) == 0);
        CHECK(set_flags(fd.get(), 0) == 0);
        for (const int flag : {FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NOATIME_FL, FS_NOCOW_FL}) {
          CHECK(set_flags(fd.get(), flag) == EOPNOTSUPP);
        }
        CHECK(flags_of(fd.get()) == 0);
        fsxattr extended{};
        extended.fsx_projid = 7;
        CHECK(::ioctl(fd.get(), FS_IOC_FSGETXATTR, &extended) == 0);
        CHECK(extended.fsx_projid == 0);
        CHECK(::ioctl(fd.get(), FS_IOC_FSSETXATTR, &extended) == 0);
        extended.fsx_xflags = FS_XFLAG_APPEND;
        CHECK(::ioctl(fd.get(), FS_IOC_FSSETXATTR, &extended) == -1);
        CHECK(errno == EOPNOTSUPP);
        CHECK(::isatty(fd.get()) == 0);
        CHECK(errno == ENOTTY);
        long version = 0;
        CHECK(::ioctl(fd.get(), FS_IOC_GETVERSION, &version) == -1);
        CHECK(errno == ENOTTY);
      }
      CHECK(::unlink(fixture.mnt("made").c_str()) == 0);
      CHECK(flags_of(made.get()) == 0);  // it has no name any more
      made.reset();
      fixture.unmount();
    }
    fixture.mount({.is_image = true});
    const UniqueFd fd(::open(fixture.mnt("file").c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(flags_of(fd.get()) == 0);
    CHECK(set_flags(fd.get(), 0) == EROFS);
  }
}

}  // namespace satchel::test
