// Repository: names, versions and the race for the next one.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "store/repository.h"
#include "test/support/child_process.h"
#include "test/support/file_bytes.h"
#include "test/support/no_link.h"
#include "test/support/scratch_repository.h"

namespace satchel::store {
namespace {

template <typename Value>
void check_error(const Result<Value>& result, int code, Sat sat) {
  REQUIRE(!result);
  CHECK(result.error().code == code);
  CHECK(result.error().sat == sat);
}

RefName user(std::string_view text) {
  return RefName::user(text).value();
}

RefRecord version(VersionNumber number, std::string message = {}) {
  RefRecord record;
  record.number = number;
  record.message = std::move(message);
  record.body = UserBody{};
  return record;
}

TEST_SUITE("store/repository refs") {
  TEST_CASE("a committed version is the head and says who made it when") {
    test::ScratchRepository scratch;
    CHECK(!scratch->head(user("ada")).value());
    const RefRecord first = scratch->commit(user("ada"), version(1, "first"), {}).value();
    CHECK(first.repository == scratch->id());
    CHECK(first.name == "ada");
    CHECK(first.device == "test");
    CHECK(first.time == scratch.clock.now());
    CHECK(first.parent.is_none());
    const RefRecord second = scratch->commit(user("ada"), version(2), {}).value();
    CHECK(second.parent == scratch->hash_ref(user("ada"), 1).value());
    CHECK(second.nonce != first.nonce);
    CHECK(scratch->head(user("ada")).value() == 2);
    CHECK((scratch->read_ref(user("ada"), 1).value() == first));
    CHECK(scratch->list_versions(user("ada")).value() == std::vector<VersionNumber>{1, 2});
    CHECK(std::filesystem::is_empty(scratch.path().text + "/refs/tmp"));
  }

  TEST_CASE("names are listed by kind, those without a version and strangers are not") {
    test::ScratchRepository scratch;
    for (const std::string name : {"bob", "ada"}) {
      REQUIRE(scratch->commit(user(name), version(1), {}));
    }
    RefRecord layer;
    layer.number = 1;
    layer.body = LayerBody{.layer_kind = "os"};
    REQUIRE(scratch->commit(RefName::layer("os/golden").value(), layer, {}));
    RefRecord image;
    image.number = 1;
    image.body = ImageBody{};
    REQUIRE(scratch->commit(RefName::image("lab").value(), image, {}));
    for (const std::string path : {"users/none", "users/Bad Name", "layers/planet/x"}) {
      std::filesystem::create_directories(scratch.path().text + "/refs/" + path);
    }
    test::write_whole(scratch.path().text + "/refs/users/ada/07", "");
    test::write_whole(scratch.path().text + "/refs/users/ada/2x", "");
    CHECK(scratch->list_names(RefKind::kUser).value() ==
          std::vector<RefName>{user("ada"), user("bob")});
    CHECK(scratch->list_names(RefKind::kLayer)->size() == 1);
    CHECK(scratch->list_names(RefKind::kImage)->size() == 1);
    CHECK(scratch->head(user("ada")).value() == 1);
    CHECK(scratch->list_versions(user("nobody"))->empty());
  }

  TEST_CASE("an unknown version or name is kNotFound") {
    test::ScratchRepository scratch;
    REQUIRE(scratch->commit(user("ada"), version(1), {}));
    check_error(scratch->read_ref(user("ada"), 2), ENOENT, Sat::kNotFound);
    check_error(scratch->read_ref(user("bob"), 1), ENOENT, Sat::kNotFound);
    check_error(scratch->hash_ref(user("ada"), 9), ENOENT, Sat::kNotFound);
  }

  TEST_CASE("who commits on an old head has lost the race") {
    test::ScratchRepository scratch;
    REQUIRE(scratch->commit(user("ada"), version(1), {}));
    REQUIRE(scratch->commit(user("ada"), version(2, "theirs"), {}));
    check_error(scratch->commit(user("ada"), version(2, "mine"), {}), EAGAIN, Sat::kLostRace);
    check_error(scratch->commit(user("ada"), version(1), {}), EAGAIN, Sat::kLostRace);
    CHECK(scratch->read_ref(user("ada"), 2)->message == "theirs");
  }

  TEST_CASE("a version without its parent is refused, numbers never skip") {
    test::ScratchRepository scratch;
    check_error(scratch->commit(user("ada"), version(2), {}), EUCLEAN, Sat::kContradiction);
    REQUIRE(scratch->commit(user("ada"), version(1), {}));
    check_error(scratch->commit(user("ada"), version(3), {}), EUCLEAN, Sat::kContradiction);
    CHECK(scratch->head(user("ada")).value() == 1);
  }

  TEST_CASE("a record that is another one's is refused") {
    test::ScratchRepository scratch;
    test::ScratchRepository other;
    REQUIRE(scratch->commit(user("ada"), version(1), {}));
    REQUIRE(scratch->commit(user("bob"), version(1), {}));
    const std::string ada = scratch.path().text + "/refs/users/ada/";
    SUBCASE("of another repository") {
      // The same seed made both ids, so the second one is made to differ.
      auto stranger =
          Repository::create(other.directory.path() / "stranger", other.options("index2"),
                             other.clock, other.other_random, other.log)
              .value();
      REQUIRE(stranger.commit(user("ada"), version(1), {}));
      std::filesystem::copy(stranger.path().text + "/refs/users/ada/1", ada + "1",
                            std::filesystem::copy_options::overwrite_existing);
      check_error(scratch->read_ref(user("ada"), 1), EUCLEAN, Sat::kContradiction);
    }
    SUBCASE("of another name") {
      std::filesystem::copy(scratch.path().text + "/refs/users/bob/1", ada + "2");
      check_error(scratch->read_ref(user("ada"), 2), EUCLEAN, Sat::kContradiction);
    }
    SUBCASE("of another number") {
      std::filesystem::copy(ada + "1", ada + "2");
      const auto record = scratch->read_ref(user("ada"), 2);
      check_error(record, EUCLEAN, Sat::kContradiction);
      CHECK(record.error().path == ada + "2");
      CHECK(!record.error().hint.empty());
    }
    SUBCASE("damaged") {
      test::flip_byte(ada + "1", 40);
      check_error(scratch->read_ref(user("ada"), 1), EBADMSG, Sat::kCorrupted);
      check_error(scratch->commit(user("ada"), version(2), {}), EBADMSG, Sat::kCorrupted);
    }
  }

  TEST_CASE("a version relies on packs that are there") {
    test::ScratchRepository scratch;
    scratch.put_chunks({"one"});
    std::vector<PackId> packs = scratch->list_packs().value();
    CHECK(scratch->commit(user("ada"), version(1), packs));
    packs.emplace_back();
    check_error(scratch->commit(user("ada"), version(2), packs), ENOENT, Sat::kMissingContent);
    CHECK(scratch->head(user("ada")).value() == 1);
  }

  TEST_CASE("a message that is too long is a limit and not a record") {
    test::ScratchRepository scratch;
    CHECK(scratch->commit(user("ada"), version(1, std::string(4096, 'm')), {}));
    check_error(scratch->commit(user("ada"), version(2, std::string(4097, 'm')), {}), EMSGSIZE,
                Sat::kLimit);
  }

  TEST_CASE("of threads that commit at once exactly one wins each number") {
    constexpr VersionNumber kVersions = 10;
    constexpr std::size_t kThreads = 4;
    test::ScratchRepository scratch;
    std::vector<Repository> openers;
    for (std::size_t i = 0; i < kThreads; ++i) {
      openers.push_back(scratch.open("index" + std::to_string(i)).value());
    }
    std::atomic<std::uint64_t> wins = 0;
    std::vector<std::thread> threads;
    for (Repository& opener : openers) {
      threads.emplace_back([&] {
        for (VersionNumber number = 1; number <= kVersions; ++number) {
          const auto committed = opener.commit(user("ada"), version(number), {});
          CHECK((committed || committed.error().sat == Sat::kLostRace));
          if (committed) ++wins;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wins == kVersions);
    CHECK(scratch->list_versions(user("ada"))->size() == kVersions);
  }

  /// Processes that commit at once; the number of versions afterwards, or 0 if anything went wrong.
  std::size_t race_of_processes(test::ScratchRepository & scratch, bool has_link) {
    constexpr VersionNumber kVersions = 8;
    constexpr int kProcesses = 3;
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) {
      const pid_t child = test::fork_when_quiet();
      if (child == 0) {
        if (!has_link && !test::forbid_link()) ::_exit(100);
        SystemRandom random;
        auto opener = Repository::open(scratch.path(), scratch.options("child" + std::to_string(i)),
                                       scratch.clock, random, scratch.log);
        if (!opener) ::_exit(101);
        int wins = 0;
        for (VersionNumber number = 1; number <= kVersions; ++number) {
          const auto committed = opener->commit(user("ada"), version(number), {});
          if (committed) ++wins;
          if (!committed && committed.error().sat != Sat::kLostRace) ::_exit(102);
        }
        if (opener->features().has_link != has_link) ::_exit(103);
        ::_exit(wins);
      }
      children.push_back(child);
    }
    int wins = 0;
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      REQUIRE(WIFEXITED(status));
      REQUIRE(WEXITSTATUS(status) < 100);
      wins += WEXITSTATUS(status);
    }
    CHECK(wins == static_cast<int>(kVersions));
    return scratch->list_versions(user("ada"))->size();
  }

  TEST_CASE("of processes that commit at once exactly one wins each number") {
    if (!test::kChildMayStartThreads) return;
    test::ScratchRepository scratch;
    CHECK(race_of_processes(scratch, true) == 8);
  }

  TEST_CASE("without link a lock lets one commit at a time") {
    if (!test::kChildMayStartThreads) return;
    test::ScratchRepository scratch;
    CHECK(race_of_processes(scratch, false) == 8);
    CHECK(std::filesystem::is_empty(scratch.path().text + "/refs/tmp"));
  }

  TEST_CASE("a lock whose owner died is broken after a minute") {
    if (!test::kChildMayStartThreads) return;
    test::ScratchRepository scratch;
    const std::string lock = scratch.path().text + "/refs/tmp/commit.lock";
    test::write_whole(lock, "nobody");
    std::filesystem::last_write_time(
        lock, std::filesystem::file_time_type::clock::now() - std::chrono::minutes(2));
    const auto end = test::run_in_child([&] {
      if (!test::forbid_link()) return 1;
      SystemRandom random;
      auto opener = Repository::open(scratch.path(), scratch.options("child"), scratch.clock,
                                     random, scratch.log);
      return opener && opener->commit(user("ada"), version(1), {}) ? 0 : 2;
    });
    CHECK(end.exit_code == 0);
    CHECK(!std::filesystem::exists(lock));
  }
}

}  // namespace
}  // namespace satchel::store
