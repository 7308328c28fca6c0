#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <set>

#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

std::string name_of(int number) {
  return "file-" + std::to_string(number);
}

void make_files(Place& place, const std::string& directory, int from, int to) {
  for (int i = from; i < to; ++i) {
    const UniqueFd fd(::open(place.path(directory + "/" + name_of(i)).c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    REQUIRE(fd.valid());
  }
}

}  // namespace

TEST_SUITE("mount/directories") {
  TEST_CASE("a directory of 100,000 names is listed whole, changed or not") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture([](Place& base) {
      base.did("mkdir", ::mkdir(base.path("many").c_str(), 0755));
      make_files(base, "many", 0, 100'000);
    });
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.list("many");
      for (int i = 0; i < 100'000; i += 1000) {
        place.did("unlink", ::unlink(place.path("many/" + name_of(i)).c_str()));
        place.write("many/new-" + std::to_string(i), "new", O_WRONLY | O_CREAT);
      }
      place.list("many");
    });
    fixture.unmount();
    fixture.mount();
    fixture.on_both([](Place& place) { place.list("many"); });
  }

  TEST_CASE("a directory that has been listed is listed again without a request") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture([](Place& base) {
      base.did("mkdir", ::mkdir(base.path("d").c_str(), 0755));
      make_files(base, "d", 0, 500);
    });
    fixture.mount();
    fixture.on_both([](Place& place) { place.list("d"); });
    const auto requests = [&] {
      return fixture.status_number("requests_opendir") + fixture.status_number("requests_readdir") +
             fixture.status_number("requests_readdirplus");
    };
    const long before = requests();
    const auto count = [&] {
      const Directory directory(::opendir(fixture.mnt("d").c_str()));
      REQUIRE(directory);
      int names = 0;
      while (::readdir(directory.get()) != nullptr) ++names;
      return names;
    };
    CHECK(count() == 502);
    CHECK(requests() == before);
    fixture.on_both([](Place& place) {
      place.write("d/new", "new", O_WRONLY | O_CREAT);
      place.list("d");
    });
    CHECK(requests() > before);
    fixture.unmount();
  }

  TEST_CASE("reading goes on where it was while the directory changes") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture([](Place& base) {
      base.did("mkdir", ::mkdir(base.path("d").c_str(), 0755));
      make_files(base, "d", 0, 2000);
    });
    fixture.mount();
    const Directory directory(::opendir(fixture.mnt("d").c_str()));
    REQUIRE(directory);
    std::multiset<std::string> seen;
    int count = 0;
    while (const dirent* const item = ::readdir(directory.get())) {
      seen.insert(item->d_name);
      // Names that come and go meanwhile may be seen or not; the others are seen once.
      const std::string extra = fixture.mnt("d/extra-" + std::to_string(++count));
      if (count % 3 == 0) (void)!::mkdir(extra.c_str(), 0755);
      if (count % 3 == 1 && count < 1000) {
        (void)!::unlink(fixture.mnt("d/" + name_of(count)).c_str());
      }
      if (count > 5000) break;
    }
    for (int i = 1000; i < 2000; ++i) {
      CAPTURE(i);
      CHECK(seen.count(name_of(i)) == 1);
    }
    for (const std::string& name : seen) CHECK(seen.count(name) == 1);
  }

  TEST_CASE("a reader that renames what it reads comes to an end") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture([](Place&) {});
    fixture.mount();
    constexpr int kFiles = 1'000;
    Place view(fixture.folder("mnt").text);
    REQUIRE(::mkdir(fixture.mnt("renamed").c_str(), 0755) == 0);
    for (int i = 0; i < kFiles; ++i) {
      view.write("renamed/" + std::to_string(i), "", O_WRONLY | O_CREAT);
    }
    DIR* const listing = ::opendir(fixture.mnt("renamed").c_str());
    REQUIRE(listing != nullptr);
    const std::string away = fixture.mnt("renamed/away");
    int seen = 0;
    while (const dirent* const item = ::readdir(listing)) {
      const std::string name = item->d_name;
      if (name == "." || name == "..") continue;
      REQUIRE(++seen <= 2 * kFiles);
      const std::string path = fixture.mnt("renamed/" + name);
      if (::rename(path.c_str(), away.c_str()) == 0) {
        REQUIRE(::rename(away.c_str(), path.c_str()) == 0);
      }
    }
    REQUIRE(::closedir(listing) == 0);
    CHECK(seen >= kFiles);
  }

  TEST_CASE("telldir, seekdir and rewinddir work") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture([](Place& base) {
      base.did("mkdir", ::mkdir(base.path("d").c_str(), 0755));
      make_files(base, "d", 0, 500);
    });
    fixture.mount();
    const Directory directory(::opendir(fixture.mnt("d").c_str()));
    REQUIRE(directory);
    for (int i = 0; i < 200; ++i) REQUIRE(::readdir(directory.get()) != nullptr);
    const long place = ::telldir(directory.get());
    const std::string next = ::readdir(directory.get())->d_name;
    REQUIRE(::unlink(fixture.mnt("d/" + name_of(3)).c_str()) == 0);
    ::seekdir(directory.get(), place);
    CHECK(std::string(::readdir(directory.get())->d_name) == next);
    ::rewinddir(directory.get());
    std::set<std::string> names;
    while (const dirent* const item = ::readdir(directory.get())) names.insert(item->d_name);
    CHECK(names.size() == 501);  // 499 files, "." and ".."
    CHECK(names.count(name_of(3)) == 0);
  }

  TEST_CASE("types and numbers in a listing are those of stat") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture([](Place& base) {
      base.did("mkdir", ::mkdir(base.path("d").c_str(), 0755));
      base.did("mkdir", ::mkdir(base.path("d/sub").c_str(), 0755));
      base.write("d/file", "x", O_WRONLY | O_CREAT);
      base.did("symlink", ::symlink("file", base.path("d/link").c_str()));
      base.did("fifo", ::mkfifo(base.path("d/fifo").c_str(), 0644));
    });
    fixture.mount();
    Place view(fixture.folder("mnt").text);
    view.write("d/new", "x", O_WRONLY | O_CREAT);
    const Directory directory(::opendir(fixture.mnt("d").c_str()));
    REQUIRE(directory);
    int count = 0;
    while (const dirent* const item = ::readdir(directory.get())) {
      struct stat stat {};
      REQUIRE(::lstat(fixture.mnt(std::string("d/") + item->d_name).c_str(), &stat) == 0);
      CAPTURE(item->d_name);
      CHECK(item->d_ino == stat.st_ino);
      CHECK(item->d_type == IFTODT(stat.st_mode));
      ++count;
    }
    CHECK(count == 7);
  }
}

}  // namespace satchel::test
