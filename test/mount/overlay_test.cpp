#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

/// An overlayfs at `mnt`, for the length of a case.
class Overlay {
 public:
  Overlay(const std::string& lower, const std::string& upper, const std::string& work,
          std::string mnt)
      : mnt_(std::move(mnt)) {
    const std::string layers = "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work;
    result_ = ::mount("overlay", mnt_.c_str(), "overlay", 0, layers.c_str());
    code_ = errno;
  }
  ~Overlay() {
    if (result_ == 0) (void)::umount2(mnt_.c_str(), 0);  // the case compares what it left
  }
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;
  [[nodiscard]] bool is_mounted() const { return result_ == 0; }
  [[nodiscard]] bool is_unknown() const { return result_ != 0 && code_ == ENODEV; }

 private:
  std::string mnt_;
  int result_ = -1;
  int code_ = 0;
};

void make_base(Place& base) {
  base.did("mkdir", ::mkdir(base.path("dir").c_str(), 0755));
  base.write("file", "base bytes", O_WRONLY | O_CREAT);
  base.write("dir/other", "other bytes", O_WRONLY | O_CREAT);
}

void work_in(Place& place) {
  place.read("file");
  place.write("file", "changed", O_WRONLY | O_TRUNC);
  place.did("unlink", ::unlink(place.path("dir/other").c_str()));
  place.did("mkdir", ::mkdir(place.path("new").c_str(), 0755));
  place.did("rename", ::rename(place.path("file").c_str(), place.path("new/file").c_str()));
  place.describe();
}

}  // namespace

TEST_SUITE("mount/overlay") {
  TEST_CASE("an overlayfs takes the view as its lower layer, and as its upper") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    const std::string plain = fixture.folder("plain").text;
    for (const char* const name : {"upper", "work", "overlay"}) {
      REQUIRE(::mkdir(fixture.folder(name).c_str(), 0755) == 0);
    }
    const std::string overlay = fixture.folder("overlay").text;
    Place expected(plain);
    {
      const Overlay above(fixture.folder("mnt").text, fixture.folder("upper").text,
                          fixture.folder("work").text, overlay);
      if (above.is_unknown()) SATCHEL_SKIP("the kernel has no overlayfs");
      REQUIRE(above.is_mounted());
      fixture.compare_trees();
      Place found(overlay);
      work_in(found);
      fixture.compare_trees();  // the lower layer is as it was
      work_in(expected);
      CHECK(found.record() == expected.record());
    }
    for (const char* const name : {"u", "w"}) {
      REQUIRE(::mkdir(fixture.mnt(name).c_str(), 0755) == 0);
    }
    const Overlay above(fixture.folder("base").text, fixture.mnt("u"), fixture.mnt("w"), overlay);
    REQUIRE(above.is_mounted());
    Place found(overlay);
    work_in(found);
    CHECK(found.record() == expected.record());
    struct stat whiteout {};
    REQUIRE(::lstat(fixture.mnt("u/dir/other").c_str(), &whiteout) == 0);
    CHECK(S_ISCHR(whiteout.st_mode));
  }

  // The kernel lets no file of a filesystem that stands on another one be read past the daemon.
  TEST_CASE("with its store on an overlayfs the view serves its files itself") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    for (const char* const name : {"lower", "upper", "work", "store"}) {
      REQUIRE(::mkdir(fixture.folder(name).c_str(), 0755) == 0);
    }
    const Overlay below(fixture.folder("lower").text, fixture.folder("upper").text,
                        fixture.folder("work").text, fixture.folder("store").text);
    if (below.is_unknown()) SATCHEL_SKIP("the kernel has no overlayfs");
    REQUIRE(below.is_mounted());
    fixture.mount();
    const auto status = fixture.call("status");
    REQUIRE(status);
    CHECK(fs::find_field(*status, "passthrough") == "off");
    fixture.on_both([](Place& place) { work_in(place); });
    CHECK(fixture.status_number("requests_read") > 0);
    CHECK(fixture.status_number("requests_write") > 0);
    fixture.unmount();  // before the store
  }
}

}  // namespace satchel::test
