#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

void make_base(Place& base) {
  for (const char* const directory : {"etc", "etc/app", "etc/app/deep", "usr", "empty"}) {
    base.did("mkdir", ::mkdir(base.path(directory).c_str(), 0755));
  }
  for (const char* const file : {"etc/passwd", "etc/app/conf", "etc/app/deep/leaf", "usr/prog"}) {
    base.write(file, std::string("content of ") + file, O_WRONLY | O_CREAT);
  }
  base.did("link", ::link(base.path("usr/prog").c_str(), base.path("usr/hard").c_str()));
  base.did("link", ::link(base.path("usr/prog").c_str(), base.path("etc/hard").c_str()));
  base.did("symlink", ::symlink("passwd", base.path("etc/link").c_str()));
}

int rename_with(const Place& place, const char* from, const char* to, unsigned flags) {
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, place.path(from).c_str(), AT_FDCWD,
                                    place.path(to).c_str(), flags));
}

int rename(const Place& place, const char* from, const char* to) {
  return ::rename(place.path(from).c_str(), place.path(to).c_str());
}

}  // namespace

TEST_SUITE("mount/names") {
  TEST_CASE("names are made and removed as in a plain directory") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.compare_trees();
    fixture.on_both([](Place& place) {
      place.did("mkdir", ::mkdir(place.path("new").c_str(), 0751));
      place.did("mkdir again", ::mkdir(place.path("new").c_str(), 0751));
      place.did("mkdir over file", ::mkdir(place.path("etc/passwd").c_str(), 0751));
      place.did("mkdir in file", ::mkdir(place.path("etc/passwd/x").c_str(), 0751));
      place.did("mkdir nowhere", ::mkdir(place.path("no/x").c_str(), 0751));
      place.did("fifo", ::mkfifo(place.path("new/fifo").c_str(), 0640));
      place.did("device", ::mknod(place.path("new/dev").c_str(), S_IFCHR | 0600, makedev(1, 3)));
      place.did("socket", ::mknod(place.path("new/sock").c_str(), S_IFSOCK | 0600, 0));
      place.did("file", ::mknod(place.path("new/file").c_str(), S_IFREG | 0604, 0));
      place.did("symlink", ::symlink("../etc", place.path("new/etc").c_str()));
      place.did("symlink over", ::symlink("x", place.path("etc/link").c_str()));
      place.read("new/etc/passwd");
      place.did("unlink", ::unlink(place.path("etc/passwd").c_str()));
      place.did("unlink again", ::unlink(place.path("etc/passwd").c_str()));
      place.did("unlink dir", ::unlink(place.path("etc/app").c_str()));
      place.did("rmdir full", ::rmdir(place.path("etc/app").c_str()));
      place.did("rmdir file", ::rmdir(place.path("usr/prog").c_str()));
      place.did("rmdir", ::rmdir(place.path("empty").c_str()));
      place.did("unlink leaf", ::unlink(place.path("etc/app/deep/leaf").c_str()));
      place.did("rmdir emptied", ::rmdir(place.path("etc/app/deep").c_str()));
      place.did("mkdir where deleted", ::mkdir(place.path("etc/app/deep").c_str(), 0700));
      place.list("etc/app/deep");
      place.write("etc/passwd", "new passwd", O_WRONLY | O_CREAT | O_EXCL);
      place.write("etc/passwd", "excl", O_WRONLY | O_CREAT | O_EXCL);
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
  }

  TEST_CASE("renames replace, move over base directories and exchange") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.did("base file", rename(place, "etc/passwd", "usr/passwd"));
      place.did("over base file", rename(place, "usr/passwd", "etc/app/conf"));
      place.read("etc/app/conf");
      place.did("base directory", rename(place, "etc/app", "usr/app"));
      place.read("usr/app/deep/leaf");
      place.did("into itself", rename(place, "usr/app", "usr/app/deep/x"));
      place.did("over full directory", rename(place, "empty", "usr/app"));
      place.did("over empty directory", rename(place, "usr/app", "empty"));
      place.did("file over directory", rename(place, "usr/prog", "empty"));
      place.did("directory over file", rename(place, "empty", "usr/prog"));
      place.did("missing", rename(place, "nothing", "x"));
      place.did("same", rename(place, "usr/prog", "usr/prog"));
      place.did("hard links", rename(place, "usr/prog", "usr/hard"));
      place.stat("usr/prog");
      place.did("no replace", rename_with(place, "usr/prog", "usr/hard", RENAME_NOREPLACE));
      place.did("no replace new", rename_with(place, "usr/prog", "usr/moved", RENAME_NOREPLACE));
      place.write("file", "a file", O_WRONLY | O_CREAT);
      place.did("exchange", rename_with(place, "file", "empty", RENAME_EXCHANGE));
      place.did("exchange missing", rename_with(place, "file", "none", RENAME_EXCHANGE));
      place.write("gone", "gone", O_WRONLY | O_CREAT);
      place.did("whiteout", rename_with(place, "gone", "there", RENAME_WHITEOUT));
      place.stat("gone");
      // Was EINVAL.
      constexpr unsigned kBoth = RENAME_WHITEOUT | RENAME_NOREPLACE;
      place.did("whiteout over", rename_with(place, "there", "file", kBoth));
      place.did("whiteout new", rename_with(place, "there", "new", kBoth));
      place.stat("there");
      place.did("back", rename(place, "new", "there"));
      place.did("flags", rename_with(place, "there", "gone", RENAME_EXCHANGE | RENAME_NOREPLACE));
      place.did("renamed directory again", rename(place, "file", "etc/again"));
      place.write("etc/again/deep/new", "new", O_WRONLY | O_CREAT);
      place.did("back", rename(place, "etc/again", "etc/app"));
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
  }

  TEST_CASE("hard links of base and new files share one inode") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.stat("usr/prog");
      place.did("link", ::link(place.path("usr/prog").c_str(), place.path("third").c_str()));
      place.did("link exists", ::link(place.path("usr/prog").c_str(), place.path("third").c_str()));
      place.did("link directory", ::link(place.path("usr").c_str(), place.path("x").c_str()));
      place.write("third", "through another name", O_WRONLY | O_TRUNC);
      for (const char* const name : {"usr/prog", "usr/hard", "etc/hard", "third"}) {
        place.read(name);
        place.stat(name);
      }
      place.did("unlink", ::unlink(place.path("usr/hard").c_str()));
      place.stat("etc/hard");
      for (int i = 0; i < 2000; ++i) {
        const std::string name = place.path("many" + std::to_string(i));
        if (::link(place.path("third").c_str(), name.c_str()) != 0) place.did("many", -1);
      }
      place.stat("third");
      struct stat first {};
      struct stat last {};
      place.did("stat", ::stat(place.path("usr/prog").c_str(), &first));
      place.did("stat", ::stat(place.path("many1999").c_str(), &last));
      place.saw("one inode", first.st_ino == last.st_ino ? "yes" : "no");
    });
    fixture.compare_trees();
    fixture.unmount();
    fixture.mount();
    fixture.compare_trees();
  }

  TEST_CASE("names may be long and hold any byte") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.write(std::string(255, 'n'), "longest", O_WRONLY | O_CREAT);
      place.write(std::string(256, 'n'), "too long", O_WRONLY | O_CREAT);
      place.write("new\nline", "n", O_WRONLY | O_CREAT);
      place.write("\xff\xfe not utf-8", "b", O_WRONLY | O_CREAT);
      place.did("long target", ::symlink(std::string(4000, 't').c_str(), place.path("l").c_str()));
      place.did("loop", ::symlink("loop", place.path("loop").c_str()));
      place.read("loop/x");
      std::string deep = "deep";
      for (int i = 0; i < 100; ++i) {
        place.did("mkdir", ::mkdir(place.path(deep).c_str(), 0755));
        deep += "/directory";
      }
    });
    fixture.compare_trees();
  }

  TEST_CASE("an unlinked file lives as long as it is open") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      for (const char* const name : {"etc/passwd", "usr/new"}) {
        const UniqueFd fd(::open(place.path(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        place.did("unlink", ::unlink(place.path(name).c_str()));
        struct stat stat {};
        place.did("fstat", ::fstat(fd.get(), &stat));
        place.saw("links", static_cast<long>(stat.st_nlink));
        place.did("write", ::pwrite(fd.get(), "alive", 5, 0));
        std::string bytes(5, '\0');
        place.did("read", ::pread(fd.get(), bytes.data(), 5, 0));
        place.saw("bytes", bytes);
        place.did("fchmod", ::fchmod(fd.get(), 0600));
        place.did("truncate", ::ftruncate(fd.get(), 2));
        place.stat(name);
        place.write(name, "another", O_WRONLY | O_CREAT);
        place.read(name);
      }
      const UniqueFd unnamed(
          ::open(place.path("etc").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0640));
      place.did("tmpfile", unnamed.valid() ? 0 : -1);
      place.did("write", ::write(unnamed.get(), "unnamed", 7));
      const std::string proc = "/proc/self/fd/" + std::to_string(unnamed.get());
      place.did("linkat", ::linkat(AT_FDCWD, proc.c_str(), AT_FDCWD,
                                   place.path("etc/named").c_str(), AT_SYMLINK_FOLLOW));
      place.stat("etc/named");
      place.read("etc/named");
    });
    fixture.compare_trees();
  }

  // O_TMPFILE in it was ENOENT, which an ext4 keeps for names.
  TEST_CASE("nothing is made in a directory that was removed") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      const UniqueFd in(::open(place.path("empty").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      place.did("rmdir", ::rmdir(place.path("empty").c_str()));
      const UniqueFd unnamed(::openat(in.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
      place.did("tmpfile", unnamed.get());
      const UniqueFd named(::openat(in.get(), "name", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
      place.did("file", named.get());
      place.did("mkdir", ::mkdirat(in.get(), "name", 0755));
    });
  }
}

}  // namespace satchel::test
