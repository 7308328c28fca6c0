// Files that the kernel writes to by itself, as the view finds out about them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

/// Takes every file, as the kernel does for root.
class WillingRegistry final : public BackingRegistry {
 public:
  Result<BackingId> add(int /*fd*/) override { return BackingId{1}; }
  void remove(BackingId /*id*/) override {}
};

/// A view with one changed file, "log", that a program has open for appending.
struct Passed {
  Passed() {
    workspace.view().set_backings(&registry);
    REQUIRE(workspace.make_file("log", 0644) == 0);
    const auto found = workspace.view().lookup(kRootNode, Name::checked("log"));
    REQUIRE(found.has_value());
    const auto open = workspace.view().open_file(found->node, O_WRONLY | O_APPEND);
    REQUIRE(open.has_value());
    REQUIRE(open->backing.has_value());
    kernel = UniqueFd(::open(bytes_path().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    REQUIRE(kernel.valid());
  }

  [[nodiscard]] std::string bytes_path() const {
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(workspace.upper_path() + "/upper")) {
      if (file.is_regular_file()) return file.path();
    }
    return {};
  }
  /// Past the daemon.
  void append(const std::string& bytes) {
    REQUIRE(::write(kernel.get(), bytes.data(), bytes.size()) ==
            static_cast<ssize_t>(bytes.size()));
    expected += bytes;
  }
  void check() {
    CHECK(workspace.stat("log").size == expected.size());
    CHECK(workspace.read("log") == expected);
  }

  WillingRegistry registry;
  Workspace workspace;
  UniqueFd kernel;
  std::string expected;
};

TEST_SUITE("fs/view: hot inodes") {
  // After umount --lazy, or a SIGTERM at shutdown, programs wrote on through their descriptors. The
  // upper had been marked clean, so nobody looked at the file again: its size stayed what the row
  // said, and what was appended later was never seen, nor synced.
  TEST_CASE("what is written past a mount that has ended is seen by the next ones") {
    Passed log;
    log.append("before the end\n");
    log.workspace.close();
    log.append("between two mounts\n");
    log.workspace.reopen();
    log.check();
    CHECK(log.workspace.stat("log").may_change_unseen);
    log.append("beside the second mount\n");
    log.check();
    const auto mtime = log.workspace.stat("log").mtime;
    log.workspace.commit();
    CHECK(log.workspace.contents().adopted() == 0);
    log.append("after a sync\n");
    log.check();
    log.workspace.reopen(/*crash=*/true);
    log.append("after kill -9\n");
    log.check();
    CHECK(log.workspace.stat("log").mtime >= mtime);
    log.kernel.reset();
    log.workspace.commit();
    CHECK(log.workspace.contents().adopted() == 1);
    log.check();
    CHECK_FALSE(log.workspace.stat("log").may_change_unseen);
  }

  TEST_CASE("a mount is closed cleanly if nobody writes, though a release was never heard of") {
    Passed log;
    log.append("bytes");
    log.kernel.reset();
    log.workspace.close();
    // What only a recovery would notice.
    REQUIRE(::truncate(log.bytes_path().c_str(), 3) == 0);
    log.workspace.reopen();
    CHECK(log.workspace.stat("log").size == 5);
  }

  TEST_CASE("open files cost few descriptors, and what they became is seen without one too") {
    constexpr std::size_t kFiles = 1500;
    Passed log;
    const auto descriptors = [] {
      return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    const auto before = descriptors();
    std::vector<HandleId> open;
    for (std::size_t i = 0; i < kFiles; ++i) {
      const auto created = log.workspace.view().create(
          kRootNode, Name::checked("file" + std::to_string(i)), 0644, O_WRONLY | O_CREAT, {});
      REQUIRE(created.has_value());
      REQUIRE(created->open.backing.has_value());
      open.push_back(created->open.handle);
    }
    CHECK(descriptors() - before < 200);
    CHECK(descriptors() - before > 100);
    log.append("bytes");
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(log.workspace.upper_path() + "/upper")) {
      if (file.is_regular_file()) REQUIRE(::truncate(file.path().c_str(), 5) == 0);
    }
    for (const HandleId handle : open) log.workspace.view().release(handle);
    CHECK(descriptors() - before < 3);
    for (std::size_t i = 0; i < kFiles; ++i) {
      const NodeStat stat = log.workspace.stat("file" + std::to_string(i));
      CHECK(stat.size == 5);
      CHECK_FALSE(stat.may_change_unseen);
    }
  }

  TEST_CASE("an unlinked file that is still written to costs no recovery") {
    Passed log;
    REQUIRE(log.workspace.make_file("other", 0644) == 0);
    REQUIRE(log.workspace.write("other", 0, "bytes") == 0);
    REQUIRE(log.workspace.unlink("log") == 0);
    log.workspace.close();
    REQUIRE(::truncate(log.bytes_path().c_str(), 3) == 0);  // that of "other"
    log.workspace.reopen();
    CHECK(log.workspace.stat("other").size == 5);
  }
}

}  // namespace
}  // namespace satchel::fs::test
