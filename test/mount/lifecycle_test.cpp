#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "fs/mount_table.h"
#include "test/mount/fixture.h"
#include "test/support/skip.h"

namespace satchel::test {
namespace {

void make_base(Place& base) {
  base.did("mkdir", ::mkdir(base.path("dir").c_str(), 0755));
  base.write("file", "base bytes", O_WRONLY | O_CREAT);
  base.write("dir/other", "other bytes", O_WRONLY | O_CREAT);
}

/// libfuse in build/deps has rings, and this kernel takes them.
bool has_ring() {
  return ::access("/sys/module/fuse/parameters/enable_uring", F_OK) == 0;
}

std::string transport_of(MountFixture& fixture) {
  const auto status = fixture.call("status");
  REQUIRE(status);
  return std::string(fs::find_field(*status, "transport"));
}

/// By name, how many threads of the mount's process run with `policy`.
std::map<std::string, int> threads_with(MountFixture& fixture, int policy) {
  std::map<std::string, int> found;
  const std::string tasks = "/proc/" + std::to_string(fixture.status_number("pid")) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (::sched_getscheduler(std::stoi(task.path().filename())) == policy) ++found[name];
  }
  return found;
}

}  // namespace

TEST_SUITE("mount/lifecycle") {
  TEST_CASE("an image is read-only and the same as what was imported") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount({.is_image = true});
    fixture.compare_trees();
    CHECK(::mkdir(fixture.mnt("new").c_str(), 0755) == -1);
    CHECK(errno == EROFS);
    CHECK(::open(fixture.mnt("file").c_str(), O_WRONLY | O_CLOEXEC) == -1);
    CHECK(errno == EROFS);
    CHECK(::unlink(fixture.mnt("file").c_str()) == -1);
    CHECK(errno == EROFS);
    CHECK(fixture.call("sync").error().code == EROFS);
  }

  TEST_CASE("requests come by io_uring where the kernel has it") {
    SATCHEL_NEEDS_MOUNT();
    if (!has_ring()) SATCHEL_SKIP("the kernel's FUSE has no io_uring");
    MountFixture fixture(make_base);
    fixture.mount();
    CHECK(transport_of(fixture) == "io_uring");
    fixture.unmount();
    fixture.mount({.transport = fs::TransportChoice::kDevFuse});
    fixture.compare_trees();
    CHECK(transport_of(fixture) == "dev_fuse");
  }

  TEST_CASE("the threads of rings lend their cores, and no others do") {
    SATCHEL_NEEDS_MOUNT();
    if (!has_ring()) SATCHEL_SKIP("the kernel's FUSE has no io_uring");
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.compare_trees();
    const auto lending = threads_with(fixture, SCHED_IDLE);
    CHECK(!lending.empty());
    for (const auto& [name, count] : lending) {
      CHECK(name.starts_with("fuse-ring-"));
      CHECK(count == 1);
    }
    CHECK(threads_with(fixture, SCHED_OTHER)["fuse_worker"] > 0);
    fixture.unmount();
    fixture.mount({.transport = fs::TransportChoice::kDevFuse});
    fixture.compare_trees();
    CHECK(threads_with(fixture, SCHED_IDLE).empty());
  }

  TEST_CASE("what was removed is forgotten, many names at once") {
    SATCHEL_NEEDS_MOUNT();
    if (!has_ring()) SATCHEL_SKIP("the kernel's FUSE has no io_uring");
    constexpr int kFiles = 2000;
    MountFixture fixture(make_base);
    fixture.mount();
    const auto name = [&](int i) { return fixture.mnt("dir/" + std::to_string(i)); };
    for (int i = 0; i < kFiles; ++i) {
      REQUIRE(UniqueFd(::open(name(i).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).valid());
    }
    REQUIRE(fixture.files_in_upper() == kFiles);
    for (int i = 0; i < kFiles; ++i) REQUIRE(::unlink(name(i).c_str()) == 0);
    // Their bytes go with the last FORGET.
    while (fixture.files_in_upper() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(fixture.status_number("requests_forget") +
              fixture.status_number("requests_forget_multi") <
          kFiles / 4);
  }

  TEST_CASE("the mount is known by its type, source and device") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    const auto mounted = fs::find_satchel_mount(fixture.folder("mnt"));
    REQUIRE(mounted);
    CHECK(mounted->source == "satchel:ada");
    CHECK(mounted->type == "fuse.satchel");
    const auto inside = fs::find_satchel_mount_of({fixture.mnt("dir/../dir/other")});
    REQUIRE(inside);
    CHECK(inside->path.text() == "dir/other");
    CHECK(fs::find_satchel_mount(fixture.folder("plain")).error().sat == Sat::kNotAMount);
    CHECK(fs::find_satchel_mount_of(fixture.folder("plain")).error().sat == Sat::kNotAMount);
  }

  TEST_CASE("status counts requests, flush and unknown verbs are answered") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    Place view(fixture.folder("mnt").text);
    view.write("new", "x", O_WRONLY | O_CREAT);
    CHECK(fixture.status_number("requests_create") == 1);
    CHECK(fixture.status_number("requests_release") == 1);
    CHECK(fixture.status_number("dirty_files") == 1);
    CHECK(fixture.call("flush"));
    CHECK(fixture.call("nonsense").error().code == ENOSYS);
  }

  TEST_CASE(
      "a mount whose process was killed is mounted again, and nothing that was written is lost") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) {
      place.write("file", "changed", O_WRONLY | O_TRUNC);
      place.write("new", "new", O_WRONLY | O_CREAT);
      place.did("rename", ::rename(place.path("dir").c_str(), place.path("moved").c_str()));
    });
    fixture.kill();
    struct statfs stat {};
    CHECK(::statfs(fixture.mnt("").c_str(), &stat) == -1);  // ENOTCONN, or ECONNABORTED at first
    fixture.mount();
    fixture.compare_trees();
  }

  TEST_CASE("SIGTERM flushes and unmounts") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.on_both([](Place& place) { place.write("new", "new", O_WRONLY | O_CREAT); });
    const long pid = fixture.status_number("pid");
    REQUIRE(::kill(static_cast<pid_t>(pid), SIGTERM) == 0);
    int status = -1;
    REQUIRE(::waitpid(static_cast<pid_t>(pid), &status, 0) == pid);
    CHECK(status == 0);
    CHECK(fs::find_satchel_mount(fixture.folder("mnt")).error().sat == Sat::kNotAMount);
    fixture.mount();
    fixture.compare_trees();
  }

  TEST_CASE("a program that looks at the mount for a moment does not keep it from going") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    const int held = ::open(fixture.mnt("dir").c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(held >= 0);
    const pid_t passer_by = ::fork();
    if (passer_by == 0) {
      ::usleep(50'000);
      ::_exit(0);
    }
    REQUIRE(::close(held) == 0);  // the child has it still
    fixture.unmount();
    REQUIRE(::waitpid(passer_by, nullptr, 0) == passer_by);
  }

  // libfuse once cancelled a thread that was closing a file for a release that the unmount brought,
  // and the process died of it.
  TEST_CASE("an unmount right after files were closed ends well, each time") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    for (int round = 0; round < 30; ++round) {
      fixture.mount();
      Place view(fixture.folder("mnt").text);
      for (int number = 0; number < 40; ++number) {
        view.write("new" + std::to_string(number), "bytes", O_WRONLY | O_CREAT);
      }
      fixture.unmount();  // checks that the process ended with 0
    }
  }

  TEST_CASE("a mount in use is not unmounted, unless lazily or by abort") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    for (const auto mode : {fs::UnmountMode::kLazy, fs::UnmountMode::kAbort}) {
      fixture.mount();
      const long pid = fixture.status_number("pid");
      const UniqueFd user(::open(fixture.mnt("file").c_str(), O_RDONLY | O_CLOEXEC));
      const auto refused = fs::unmount(fixture.folder("mnt"), fixture.folder("run"),
                                       fs::UnmountMode::kClean, std::chrono::seconds(5));
      CHECK(refused.error().code == EBUSY);
      CHECK(refused.error().sat == Sat::kMountPoint);
      CHECK(fixture.status_number("pid") == pid);
      const auto taken =
          fs::unmount(fixture.folder("mnt"), fixture.folder("run"), mode, std::chrono::seconds(20));
      CHECK_MESSAGE(taken, to_text(taken.error()));
      REQUIRE(::waitpid(static_cast<pid_t>(pid), nullptr, 0) == pid);
    }
    fixture.mount();
  }

  // An unmount took the mount away though its process was stopped. `umount --abort` then found no
  // mount, and the process kept the store.
  TEST_CASE("a mount whose process does not answer stays until it is aborted") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    Place(fixture.folder("mnt").text).write("new", "bytes", O_WRONLY | O_CREAT);
    const auto pid = static_cast<pid_t>(fixture.status_number("pid"));
    REQUIRE(::kill(pid, SIGSTOP) == 0);
    for (const auto mode : {fs::UnmountMode::kClean, fs::UnmountMode::kLazy}) {
      const auto refused = fs::unmount(fixture.folder("mnt"), fixture.folder("run"), mode,
                                       std::chrono::milliseconds(500));
      REQUIRE(!refused);
      CHECK(refused.error().sat == Sat::kTimeout);
      CHECK(refused.error().message.find(std::to_string(pid)) != std::string::npos);
      CHECK(fs::find_satchel_mount(fixture.folder("mnt")));
    }
    const auto aborted = fs::unmount(fixture.folder("mnt"), fixture.folder("run"),
                                     fs::UnmountMode::kAbort, std::chrono::seconds(20));
    CHECK_MESSAGE(aborted, to_text(aborted.error()));
    CHECK(!fs::find_satchel_mount(fixture.folder("mnt")));
    REQUIRE(::waitpid(pid, nullptr, 0) == pid);
    fixture.mount();
    std::string bytes;
    std::getline(std::ifstream(fixture.mnt("new")), bytes);
    CHECK(bytes == "bytes");
  }

  TEST_CASE("wrong mount points and stores are refused with their own error") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    REQUIRE(::rmdir(fixture.folder("mnt").c_str()) == 0);
    const auto missing = fixture.try_mount({});
    REQUIRE(!missing);
    CHECK(missing.error().sat == Sat::kMountPoint);
    CHECK(missing.error().code == ENOENT);
    std::ofstream(fixture.folder("mnt").text) << "a file";
    const auto file = fixture.try_mount({});
    REQUIRE(!file);
    CHECK(file.error().sat == Sat::kMountPoint);
    CHECK(file.error().code == ENOTDIR);
    REQUIRE(::unlink(fixture.folder("mnt").c_str()) == 0);
    REQUIRE(::mkdir(fixture.folder("mnt").c_str(), 0755) == 0);
    fixture.mount();
    const auto again = fixture.try_mount({});
    REQUIRE(!again);
    CHECK(again.error().sat == Sat::kStoreInUse);
    CHECK(again.error().code == EBUSY);
    const std::string pid = std::to_string(fixture.status_number("pid"));
    CHECK(again.error().message.find(pid) != std::string::npos);
    const auto image_there = fixture.try_mount({.is_image = true});
    REQUIRE(!image_there);
    CHECK(image_there.error().sat == Sat::kMountPoint);
    CHECK(image_there.error().code == EBUSY);
    fixture.unmount();
    REQUIRE(std::system(("rm -r " + fixture.folder("repo").text).c_str()) == 0);
    (void)fixture.import(fixture.folder("base"));  // a new repository in the same place
    const auto other = fixture.try_mount({});
    REQUIRE(!other);
    CHECK(other.error().sat == Sat::kWrongRepository);
    CHECK(exit_code_of(other.error()) == 7);
  }

  TEST_CASE("a base switch shows the new tree at once and leaves open files alone") {
    SATCHEL_NEEDS_MOUNT();
    MountFixture fixture(make_base);
    fixture.mount();
    fixture.compare_trees();
    Place view(fixture.folder("mnt").text);
    view.stat("coming");  // remembered as absent
    const UniqueFd open(::open(fixture.mnt("file").c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(10, '\0');
    REQUIRE(::pread(open.get(), bytes.data(), 10, 0) == 10);
    Place plain(fixture.folder("plain").text);
    plain.write("file", "of version two", O_WRONLY | O_TRUNC);
    plain.write("coming", "new", O_WRONLY | O_CREAT);
    plain.did("unlink", ::unlink(plain.path("dir/other").c_str()));
    plain.did("chmod", ::chmod(plain.path("dir").c_str(), 0700));
    fixture.switch_base(fixture.import(fixture.folder("plain")));
    fixture.compare_trees();
    REQUIRE(::pread(open.get(), bytes.data(), 10, 0) == 10);
    CHECK(bytes == "base bytes");
  }
}

}  // namespace satchel::test
