// Repository: killed at each step, a full disk, a directory that cannot be written.
#include <doctest/doctest.h>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/fault_point.h"
#include "base/sha256.h"
#include "store/fsck.h"
#include "store/upload.h"
#include "test/support/child_process.h"
#include "test/support/scratch_repository.h"
#include "test/support/skip.h"

namespace satchel::store {
namespace {

RefName ada() {
  return RefName::user("ada").value();
}

EntryKey some_root() {
  return {EntryType::kRoot, sha256(as_bytes("not a root, but nobody asks"))};
}

/// Uploads something and commits it as `number`.
Result<void> write_version(Repository& repository, VersionNumber number) {
  Upload upload(repository);
  SATCHEL_TRY(upload.put_chunk(as_bytes("content " + std::to_string(number))));
  SATCHEL_TRY(upload.put(some_root(), as_bytes("not a root, but nobody asks")));
  SATCHEL_ASSIGN(const auto packs, upload.finish());
  RefRecord record;
  record.number = number;
  record.body = UserBody{.packs = packs};
  SATCHEL_TRY(repository.commit(ada(), record, upload.relied_on()));
  return {};
}

/// A tmpfs of its own at `directory`, unmounted at the end.
class TmpfsMount {
 public:
  TmpfsMount(std::string directory, const std::string& options) : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_);
    REQUIRE(::mount("tmpfs", directory_.c_str(), "tmpfs", 0, options.c_str()) == 0);
  }
  TmpfsMount(const TmpfsMount&) = delete;
  TmpfsMount& operator=(const TmpfsMount&) = delete;
  ~TmpfsMount() { (void)::umount2(directory_.c_str(), MNT_DETACH); }

 private:
  std::string directory_;
};

TEST_SUITE("store/repository faults") {
  TEST_CASE("killed at any step, the old version or the new one is there and whole") {
    if (!test::kChildMayStartThreads) return;
    constexpr int kStepsMax = 100;
    test::ScratchRepository scratch;
    REQUIRE(write_version(*scratch, 1));
    int steps = 0;
    bool has_survived = false;
    for (; steps < kStepsMax && !has_survived; ++steps) {
      CAPTURE(steps);
      const VersionNumber before = scratch->head(ada()).value().value();
      const auto end = test::run_in_child([&] {
        SystemRandom random;
        auto opener = Repository::open(scratch.path(), scratch.options("child"), scratch.clock,
                                       random, scratch.log);
        if (!opener || !set_fault_point("*:" + std::to_string(steps + 1) + ":kill")) return 1;
        return write_version(*opener, before + 1) ? 0 : 2;
      });
      has_survived = !end.is_killed;
      if (has_survived) CHECK(end.exit_code == 0);
      const VersionNumber after = scratch->head(ada()).value().value();
      CHECK((after == before || after == before + 1));
      if (has_survived) CHECK(after == before + 1);
      const FsckReport report = check_repository(*scratch, {}).value();
      CHECK(report.ok());
      CHECK(report.refs == after);
      // The work goes on where it stopped.
      CHECK(write_version(*scratch, after + 1));
    }
    CHECK(has_survived);
    CHECK(steps > 8);
  }

  TEST_CASE("on a full disk the error names the repository, and what is committed stays") {
    if (::geteuid() != 0) SATCHEL_SKIP("needs root to mount a tmpfs");
    test::ScratchRepository scratch;
    const HostPath path = scratch.directory.path() / "full/repo";
    const TmpfsMount tmpfs(scratch.directory.path().text + "/full", "size=3m");
    auto repository = Repository::create(path, scratch.options("index2"), scratch.clock,
                                         scratch.other_random, scratch.log)
                          .value();
    REQUIRE(write_version(repository, 1));
    {
      Upload upload(repository);
      std::vector<std::byte> bytes(1U << 20U);
      Result<ChunkId> put = ChunkId{};
      for (int i = 0; i < 4 && put; ++i) {
        scratch.random.fill(bytes);
        put = upload.put_chunk(bytes);
      }
      REQUIRE(!put);
      CHECK(put.error().code == ENOSPC);
      CHECK(put.error().sat == Sat::kNoSpace);
      CHECK(put.error().path == path.text);
      CHECK(upload.finish().error().sat == Sat::kNoSpace);
    }
    CHECK(std::filesystem::is_empty(path.text + "/packs/tmp"));
    CHECK(repository.head(ada()).value() == 1);
    CHECK(check_repository(repository, {})->ok());
    CHECK(write_version(repository, 2));
  }

  TEST_CASE("a repository that cannot be written can be read, and says so when written") {
    if (!test::kChildMayStartThreads) return;
    if (::geteuid() != 0) SATCHEL_SKIP("needs root to mount and to become nobody");
    test::ScratchRepository scratch;
    REQUIRE(write_version(*scratch, 1));
    const auto check_read_only = [&](Repository& repository) {
      if (repository.features().is_writable || repository.head(ada()).value() != 1) return 1;
      if (!repository.has(some_root()).value()) return 2;
      const auto written = write_version(repository, 2);
      if (written || written.error().code != EROFS || written.error().sat != Sat::kReadOnly) {
        return 3;
      }
      return written.error().path == repository.path().text && !written.error().hint.empty() ? 0
                                                                                             : 4;
    };
    SUBCASE("a read-only mount") {
      const HostPath frozen = scratch.directory.path() / "frozen";
      std::filesystem::create_directory(frozen.text);
      REQUIRE(::mount(scratch.path().c_str(), frozen.c_str(), "", MS_BIND, "") == 0);
      REQUIRE(::mount("", frozen.c_str(), "", MS_REMOUNT | MS_BIND | MS_RDONLY, "") == 0);
      auto repository = Repository::open(frozen, scratch.options("index2"), scratch.clock,
                                         scratch.other_random, scratch.log)
                            .value();
      CHECK(check_read_only(repository) == 0);
      // Work that waited goes on when the directory accepts writes again.
      REQUIRE(::mount("", frozen.c_str(), "", MS_REMOUNT | MS_BIND, "") == 0);
      CHECK(repository.features().is_writable);
      CHECK(write_version(repository, 2));
      CHECK(::umount2(frozen.c_str(), MNT_DETACH) == 0);
    }
    SUBCASE("another person's directory") {
      constexpr uid_t kNobody = 65534;
      REQUIRE(::chmod(scratch.path().c_str(), 0755) == 0);
      REQUIRE(::chmod(scratch.directory.path().c_str(), 0755) == 0);
      const auto end = test::run_in_child([&] {
        if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) return 100;
        SystemRandom random;
        auto repository = Repository::open(scratch.path(), {.device = "nobody"}, scratch.clock,
                                           random, scratch.log);
        return repository ? check_read_only(*repository) : 101;
      });
      CHECK(end.exit_code == 0);
    }
  }
}

}  // namespace
}  // namespace satchel::store
