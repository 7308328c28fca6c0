#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>

#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

void make_base(Place& base) {
  base.did("mkdir", ::mkdir(base.path("open").c_str(), 0777));
  base.did("chmod", ::chmod(base.path("open").c_str(), 0777));
  base.did("mkdir", ::mkdir(base.path("sticky").c_str(), 0777));
  base.did("chmod", ::chmod(base.path("sticky").c_str(), 01777));
  base.did("mkdir", ::mkdir(base.path("group").c_str(), 0775));
  base.did("chown", ::chown(base.path("group").c_str(), 0, 2000));
  base.did("chmod", ::chmod(base.path("group").c_str(), 02775));
  base.write("sticky/roots", "root's", O_WRONLY | O_CREAT);
  base.write("secret", "secret", O_WRONLY | O_CREAT);
  base.did("chmod", ::chmod(base.path("secret").c_str(), 0600));
  for (const char* const name : {"suid", "suid2", "suid3", "suid4"}) {
    base.write(name, "suid program", O_WRONLY | O_CREAT);
    base.did("chmod", ::chmod(base.path(name).c_str(), 06777));
  }
}

int run(const std::string& command) {
  return std::system(command.c_str());
}

}  // namespace

TEST_SUITE("mount/owners") {
  TEST_CASE("what a user makes belongs to that user, by the rules of setgid directories") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      as_user(place, 1000, 1000, {2000}, [](Place& mine) {
        ::umask(027);
        for (const char* const directory : {"open", "group"}) {
          const std::string in = std::string(directory) + "/";
          mine.write(in + "file", "mine", O_WRONLY | O_CREAT);
          mine.did("mkdir", ::mkdir(mine.path(in + "dir").c_str(), 0777));
          mine.did("symlink", ::symlink("x", mine.path(in + "link").c_str()));
          mine.did("fifo", ::mkfifo(mine.path(in + "fifo").c_str(), 0666));
          for (const char* const name : {"file", "dir", "link", "fifo"}) mine.stat(in + name);
        }
        mine.read("secret");
        mine.write("secret", "x", O_WRONLY);
        mine.did("in root", ::mkdir(mine.path("no").c_str(), 0755));
        mine.did("sticky", ::unlink(mine.path("sticky/roots").c_str()));
        mine.did("chown", ::chown(mine.path("open/file").c_str(), 1000, 2000));
        mine.did("chown away", ::chown(mine.path("open/file").c_str(), 0, 2000));
        mine.did("chmod others", ::chmod(mine.path("secret").c_str(), 0666));
        mine.did("sgid", ::chmod(mine.path("open/file").c_str(), 02755));
        mine.stat("open/file");
        mine.did("trusted", ::setxattr(mine.path("open/file").c_str(), "trusted.x", "", 0, 0));
      });
    });
    fixture.compare_trees();
  }

  TEST_CASE("suid and sgid go when others change the bytes") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      as_user(place, 1000, 1000, {}, [](Place& mine) {
        mine.write("suid", "changed", O_WRONLY);
        mine.stat("suid");
        mine.did("truncate", ::truncate(mine.path("suid2").c_str(), 3));
        mine.stat("suid2");
        mine.write("suid3", "", O_WRONLY | O_TRUNC);
        mine.stat("suid3");
        const UniqueFd fd(::open(mine.path("suid4").c_str(), O_RDWR | O_CLOEXEC));
        mine.did("fallocate", ::fallocate(fd.get(), 0, 0, 10'000));
        mine.stat("suid4");
      });
      // Root keeps them on write, and loses them on chown.
      place.did("chmod", ::chmod(place.path("suid").c_str(), 06777));
      place.write("suid", "root's", O_WRONLY);
      place.stat("suid");
      place.did("chown", ::chown(place.path("suid").c_str(), 1000, 1000));
      place.stat("suid");
      // Capabilities of a file go with every change of its bytes.
      place.did("setcap", run("setcap cap_net_raw+ep " + place.path("suid2")));
      place.write("suid2", "x", O_WRONLY);
    });
    fixture.compare_trees();
  }

  // Sgid on a file that its group may not execute once meant "locks are mandatory here", so it
  // stays for those in the group.
  TEST_CASE("a lone sgid goes when somebody outside of the group changes the bytes") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      for (const char* const name : {"write", "truncate", "open", "fallocate", "punch", "copy"}) {
        place.write(name, std::string(5'000, 'x'), O_WRONLY | O_CREAT);
      }
      const auto arm = [&] {
        for (const char* const name : {"write", "truncate", "open", "fallocate", "punch", "copy"}) {
          place.did("chmod", ::chmod(place.path(name).c_str(), 02666));
        }
      };
      const auto change = [](Place& mine) {
        mine.write("write", "changed", O_WRONLY);
        mine.did("truncate", ::truncate(mine.path("truncate").c_str(), 3));
        mine.write("open", "", O_WRONLY | O_TRUNC);
        const UniqueFd grown(::open(mine.path("fallocate").c_str(), O_RDWR | O_CLOEXEC));
        mine.did("fallocate", ::fallocate(grown.get(), 0, 0, 10'000));
        const UniqueFd punched(::open(mine.path("punch").c_str(), O_RDWR | O_CLOEXEC));
        constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        mine.did("punch", ::fallocate(punched.get(), kPunch, 0, 4096));
        const UniqueFd to(::open(mine.path("copy").c_str(), O_WRONLY | O_CLOEXEC));
        mine.did("copy", ::copy_file_range(grown.get(), nullptr, to.get(), nullptr, 100, 0));
        for (const char* const name : {"write", "truncate", "open", "fallocate", "punch", "copy"}) {
          mine.stat(name);
        }
      };
      arm();
      as_user(place, 1000, 1000, {0}, change);  // stays
      arm();
      as_user(place, 1000, 1000, {}, change);  // goes
    });
    fixture.compare_trees();
  }

  TEST_CASE("access and default ACLs are obeyed and inherited") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.did("setfacl", run("setfacl -m u:1000:rw " + place.path("secret")));
      place.stat("secret");
      place.did("default", run("setfacl -d -m u:1000:rwx,g:3000:rx,o::- " + place.path("group")));
      as_user(place, 1000, 1000, {}, [](Place& mine) {
        mine.read("secret");
        mine.write("secret", "allowed", O_WRONLY);
      });
      as_user(place, 1001, 1001, {}, [](Place& mine) { mine.read("secret"); });
      ::umask(077);
      place.write("group/inherits", "x", O_WRONLY | O_CREAT);
      place.did("mkdir", ::mkdir(place.path("group/sub").c_str(), 0777));
      ::umask(022);
      place.stat("group/inherits");
      place.stat("group/sub");
      place.did("chmod", ::chmod(place.path("secret").c_str(), 0640));
      as_user(place, 1000, 1000, {}, [](Place& mine) { mine.write("secret", "no", O_WRONLY); });
      place.did("remove", run("setfacl -b " + place.path("secret")));
      place.stat("secret");
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
  }
}

}  // namespace satchel::test
