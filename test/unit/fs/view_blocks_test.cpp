// Large base files are copied block by block.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/fault_point.h"
#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kSize = 9U << 20U;  // some regions, the last of them cut
constexpr auto kPatience = std::chrono::seconds(30);

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>('a' + (i / 7 + i / 4099) % 26);
  return bytes;
}

/// A workspace whose base has one large file, "large", and what that holds.
struct Large {
  Large() {
    PlainDirectory plain;
    REQUIRE(plain.make_file("large", 0644) == 0);
    REQUIRE(plain.write("large", 0, expected) == 0);
    workspace = std::make_unique<Workspace>(plain.fd());
    workspace->copy_blocks_from(1U << 20U);
    workspace->reopen();
  }

  void write(std::size_t offset, const std::string& bytes) {
    CHECK(workspace->write("large", offset, bytes) == 0);
    if (expected.size() < offset + bytes.size()) expected.resize(offset + bytes.size());
    expected.replace(offset, bytes.size(), bytes);
  }
  void truncate(std::size_t size) {
    CHECK(workspace->truncate("large", size) == 0);
    expected.resize(size);
  }
  void check() {
    const std::string found = workspace->read("large");
    CHECK(found.size() == expected.size());
    CHECK((found == expected));  // not printed
  }

  /// The one file in upper/.
  [[nodiscard]] std::string bytes_path() const {
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(workspace->upper_path() + "/upper")) {
      if (file.is_regular_file()) return file.path();
    }
    return {};
  }
  [[nodiscard]] std::size_t allocated() const {
    struct stat found {};
    REQUIRE(::stat(bytes_path().c_str(), &found) == 0);
    return static_cast<std::size_t>(found.st_blocks) * 512;
  }
  [[nodiscard]] bool becomes_whole() const {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (allocated() < kSize && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return allocated() >= kSize;
  }

  std::string expected = pattern(kSize - 1000);
  std::unique_ptr<Workspace> workspace;
};

TEST_SUITE("fs/view: block copies") {
  TEST_CASE("a write copies the blocks that it touches, and no more") {
    Large file;
    file.write(5 * kBlock + 17, "seventeen");
    CHECK(file.allocated() <= 4 * kBlock);
    file.write(4U << 20U, std::string(3 * kBlock, 'x'));  // whole blocks, in another region
    file.write(kSize - 1100, std::string(500, 'y'));      // over the end
    file.check();
    CHECK(file.allocated() <= 16 * kBlock);
    CHECK(file.workspace->stat("large").blocks >= file.expected.size() / 512);
    file.workspace->reopen();
    file.check();
    file.workspace->reopen(/*crash=*/true);
    file.check();
    CHECK(file.allocated() <= 16 * kBlock);
  }

  TEST_CASE("what was cut off does not come back") {
    Large file;
    file.write(kBlock, "x");
    file.truncate(3 * kBlock + 5);
    file.check();
    file.truncate(kSize);
    file.check();
    file.write(3 * kBlock + 100, "after the cut");
    file.check();
    file.workspace->reopen(/*crash=*/true);
    file.check();
    file.truncate(0);
    file.truncate(10 * kBlock);
    file.check();
    file.workspace->reopen(/*crash=*/true);
    file.check();
  }

  TEST_CASE("blocks that a power cut took show the base again") {
    Large file;
    file.write(2 * kBlock, std::string(kBlock, 'x'));
    file.write(7 * kBlock, std::string(kBlock, 'y'));
    const std::string path = file.bytes_path();
    file.workspace->reopen(/*crash=*/true);
    file.check();
    // The record of the second block reached the medium, its bytes did not.
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7 * kBlock, kBlock) ==
            0);
    file.workspace->reopen(/*crash=*/true);
    file.expected.replace(7 * kBlock, kBlock, pattern(kSize).substr(7 * kBlock, kBlock));
    file.check();
  }

  TEST_CASE("holes of the base stay holes when a copy becomes whole") {
    Large file;
    const std::size_t hole = 3U << 20U;
    file.write(0, std::string(2 * kBlock, 'x'));
    file.expected.replace(kBlock, hole, std::string(hole, '\0'));
    file.write(kBlock, std::string(hole, '\0'));
    file.workspace->commit();
    file.write(kSize - 5000, "x");
    CHECK(file.workspace->view().seal().has_value());
    for (const bool has_files : {false, true}) {
      if (has_files) file.workspace->contents().keep_as_files();
      file.workspace->commit();
      file.check();
      file.write(kSize - 5000 - (has_files ? 100 : 0), "x");
      const auto sealed = file.workspace->view().seal();
      REQUIRE(sealed.has_value());
      REQUIRE(file.workspace->view().read(sealed->nodes.back().id).has_value());
      CHECK(file.allocated() <= kSize - hole + 2 * kBlock);
      file.check();
    }
  }

  TEST_CASE("a file that has grown by a region leaves no record when it is whole") {
    Large file;
    file.write(kSize + (8U << 20U), "far beyond what is shown");
    file.write(kBlock, "x");
    file.workspace->commit();
    file.workspace->reopen(/*crash=*/true);
    file.check();
  }

  TEST_CASE("what is hashed is whole") {
    Large file;
    file.write(kBlock, "x");
    file.workspace->commit();
    CHECK(file.workspace->contents().adopted() == 1);
    file.check();
    file.write(2 * kBlock, "y");  // the new base is shared in its turn
    CHECK(file.allocated() <= 4 * kBlock);
    file.check();
  }

  TEST_CASE("a file that is used much becomes whole, and its times stay") {
    Large file;
    file.workspace->contents().keep_as_files();
    file.write(kBlock, "x");
    const Timestamp mtime = file.workspace->stat("large").mtime;
    for (int i = 0; i < 4; ++i) file.check();  // more than 16 MiB
    CHECK(file.becomes_whole());
    file.check();
    file.workspace->reopen(/*crash=*/true);
    file.check();
    CHECK(file.workspace->stat("large").mtime == mtime);
  }

  // A read asked the map which blocks were the base's, and then, for each run of them, how much was
  // shown. A copy that was completed in between showed nothing any more, and the rest of the read
  // was zeros.
  TEST_CASE("a read that began before a copy became whole gives its bytes") {
    Large file;
    for (std::size_t block = 1; block < 40; block += 2) {
      file.write(block * kBlock, std::string(kBlock, 'x'));
    }
    View& view = file.workspace->view();
    const auto sealed = view.seal();
    REQUIRE(sealed.has_value());
    bool is_whole = false;
    file.workspace->contents().at_next_read(
        [&] { is_whole = view.read(sealed->nodes.back().id).has_value(); });
    file.check();
    CHECK(is_whole);
    CHECK(file.allocated() >= kSize - 2 * kBlock);
  }

  TEST_CASE("a hole is made in a file that is whole") {
    Large file;
    const auto found = file.workspace->view().lookup(kRootNode, Name::checked("large"));
    REQUIRE(found.has_value());
    const auto open = file.workspace->view().open_file(found->node, O_RDWR);
    REQUIRE(open.has_value());
    REQUIRE(file.workspace->view()
                .fallocate(open->handle, FallocateMode::kPunchHole, kBlock + 1, 3 * kBlock)
                .has_value());
    file.expected.replace(kBlock + 1, 3 * kBlock, std::string(3 * kBlock, '\0'));
    file.check();
    file.workspace->view().release(open->handle);
    file.workspace->view().forget(found->node, 1);
    file.workspace->reopen(/*crash=*/true);
    file.check();
  }

  // A copy of 20 MB whose row found no space any more stayed in upper/ until the next unclean stop,
  // and each further try left another one.
  TEST_CASE("a copy whose row cannot be written leaves nothing behind") {
    for (const std::uint64_t block_copy_bytes : {std::uint64_t{1} << 20U, UINT64_MAX}) {
      CAPTURE(block_copy_bytes);
      Large file;
      file.workspace->copy_blocks_from(block_copy_bytes);
      file.workspace->reopen();
      REQUIRE(set_fault_point("upper.copy_up:1:eio").has_value());
      CHECK(file.workspace->write("large", kBlock, "x") == EIO);
      REQUIRE(set_fault_point("").has_value());
      CHECK(file.bytes_path().empty());
      file.check();
      file.write(kBlock, "x");
      file.check();
      file.workspace->reopen();
      file.check();
    }
  }

  TEST_CASE("a removed file leaves nothing behind") {
    Large file;
    file.write(kBlock, "x");
    REQUIRE(file.workspace->unlink("large") == 0);
    CHECK(file.bytes_path().empty());
    file.workspace->reopen(/*crash=*/true);
    CHECK_FALSE(file.workspace->find("large").has_value());
  }
}

}  // namespace
}  // namespace satchel::fs::test
