#include "fs/scratch.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "test/support/temp_dir.h"

namespace satchel::fs {
namespace {

const HostPath kMemory{"/dev/shm"};

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

TEST_SUITE("fs/scratch") {
  TEST_CASE("a scratch folder is empty, closed to others, and gone at the end") {
    const Log log = Log::to_nowhere();
    const std::string name = "satchel-unit-scratch-" + std::to_string(::getpid());
    const std::string path = kMemory.text + "/" + name;
    {
      const auto scratch = Scratch::make(kMemory, name, log);
      REQUIRE(scratch.has_value());
      struct stat found {};
      REQUIRE(::stat(path.c_str(), &found) == 0);
      CHECK((found.st_mode & 07777) == 0700);
      const UniqueFd folder = scratch->open().value();
      const UniqueFd file(::openat(folder.get(), "left", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
      CHECK(file.valid());
    }
    CHECK_FALSE(exists(path));
  }

  TEST_CASE("what a crash left in a scratch folder is removed by the next one") {
    const Log log = Log::to_nowhere();
    const std::string name = "satchel-unit-left-" + std::to_string(::getpid());
    const std::string path = kMemory.text + "/" + name;
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    const UniqueFd left(::open((path + "/left").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    REQUIRE(left.valid());
    const auto scratch = Scratch::make(kMemory, name, log);
    REQUIRE(scratch.has_value());
    CHECK(exists(path));
    CHECK_FALSE(exists(path + "/left"));
  }

  TEST_CASE("a folder that is not in memory is no place for scratch") {
    const Log log = Log::to_nowhere();
    const test::TempDir directory;
    struct stat root {};
    struct stat memory {};
    REQUIRE(::stat(directory.path().c_str(), &root) == 0);
    REQUIRE(::stat(kMemory.c_str(), &memory) == 0);
    if (root.st_dev != memory.st_dev) {
      CHECK_FALSE(Scratch::make({"/proc"}, "x", log).has_value());
    }
    CHECK_FALSE(Scratch::make(directory.path() / "none", "x", log).has_value());
  }
}

}  // namespace
}  // namespace satchel::fs
