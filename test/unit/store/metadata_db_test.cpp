#include "store/metadata_db.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "base/fault_point.h"
#include "base/unique_fd.h"
#include "test/support/child_process.h"
#include "test/support/file_bytes.h"
#include "test/support/seeded_random.h"
#include "test/support/skip.h"
#include "test/support/temp_dir.h"

namespace satchel::store {
namespace {

constexpr Family kFirst = 0;
constexpr Family kSecond = 1;

Result<MetadataDb> open_in(const HostPath& directory) {
  return MetadataDb::open(directory, {.families = {"first", "second"}});
}

Result<void> put(MetadataDb& db, Family family, std::string_view key, std::string_view value,
                 Durability durability = Durability::kProcessCrash) {
  MetadataBatch batch;
  batch.put(family, key, value);
  return db.write(batch, durability);
}

std::vector<std::string> keys_of(const MetadataDb& db, std::string_view prefix,
                                 std::string_view begin = {}) {
  std::vector<std::string> keys;
  REQUIRE(db.scan(kFirst, prefix, begin, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return MetadataDb::Walk::kContinue;
  }));
  return keys;
}

/// Takes the last byte of a filesystem.
void fill_disk(const HostPath& file) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string bytes(65'536, 'f');
  for (std::size_t size = bytes.size(); size > 0;) {
    if (::write(fd.get(), bytes.data(), size) <= 0) size /= 2;
  }
}

/// Runs `work`, which ends with SIGKILL, in a process of its own.
template <typename Work>
void run_and_kill(Work work) {
  const auto end = test::run_in_child([&] {
    work();
    return 1;
  });
  REQUIRE(end.is_killed);
}

std::string newest_log(const HostPath& directory) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(directory.text)) {
    const std::string path = entry.path().string();
    if (path.ends_with(".log") && path > newest) newest = path;
  }
  return newest;
}

/// The log of a process that was killed after 100 writes.
std::string leave_log(const HostPath& directory) {
  run_and_kill([&] {
    auto db = open_in(directory).value();
    for (int i = 0; i < 100; ++i) {
      if (!put(db, kFirst, std::to_string(i), std::string(100, 'x'))) return;
    }
    (void)::raise(SIGKILL);
  });
  return newest_log(directory);
}

/// Of the 100 writes the first ones are there, no later one without all before it, and the database
/// goes on.
void check_prefix_is_kept(const HostPath& directory) {
  std::size_t kept = 0;
  {
    auto db = open_in(directory).value();
    while (db.get(kFirst, std::to_string(kept)).value()) ++kept;
    CHECK(kept > 10);
    CHECK(kept < 60);
    CHECK(keys_of(db, "").size() == kept);
    REQUIRE(put(db, kFirst, "later", "kept"));
  }
  auto db = open_in(directory).value();
  CHECK(db.get(kFirst, "later").value() == "kept");
  CHECK(keys_of(db, "").size() == kept + 1);
}

TEST_SUITE("store/metadata_db") {
  TEST_CASE("keys and values of one family come back, and are none of another") {
    const test::TempDir directory;
    auto db = open_in(directory.path() / "made/on the way").value();
    REQUIRE(put(db, kFirst, "a", "1"));
    CHECK(db.get(kFirst, "a").value() == "1");
    CHECK(!db.get(kSecond, "a").value());
    CHECK(!db.get(kFirst, "b").value());
    CHECK(db.approximate_keys(kFirst) == 1);
  }

  TEST_CASE("a batch becomes visible as a whole, in the order of its operations") {
    const test::TempDir directory;
    auto db = open_in(directory.path()).value();
    MetadataBatch batch;
    CHECK(batch.is_empty());
    for (const std::string key : {"a", "b", "c", "d"}) batch.put(kFirst, key, "x");
    batch.remove(kFirst, "a");
    batch.remove_range(kFirst, "b", "d");
    batch.put(kFirst, "c", "again");
    batch.put(kSecond, "a", "y");
    CHECK(!batch.is_empty());
    REQUIRE(db.write(batch));
    CHECK(keys_of(db, "") == std::vector<std::string>{"c", "d"});
    CHECK(db.get(kFirst, "c").value() == "again");
    CHECK(db.get(kSecond, "a").value() == "y");
    batch.clear();
    CHECK(batch.is_empty());
    CHECK(db.write(batch));
  }

  TEST_CASE("a scan visits a prefix from a key on, ascending, until it is told to stop") {
    const test::TempDir directory;
    auto db = open_in(directory.path()).value();
    MetadataBatch batch;
    for (const std::string key : {"a", "ba", "bb", "bc", "c", "\xFF", "\xFF\xFF", "\xFF\xFFz"}) {
      batch.put(kFirst, key, "v" + key);
    }
    REQUIRE(db.write(batch));
    CHECK(keys_of(db, "b") == std::vector<std::string>{"ba", "bb", "bc"});
    CHECK(keys_of(db, "b", "bb") == std::vector<std::string>{"bb", "bc"});
    CHECK(keys_of(db, "b", "a") == std::vector<std::string>{"ba", "bb", "bc"});
    CHECK(keys_of(db, "b", "c").empty());
    CHECK(keys_of(db, "x").empty());
    CHECK(keys_of(db, "\xFF\xFF") == std::vector<std::string>{"\xFF\xFF", "\xFF\xFFz"});
    CHECK(keys_of(db, "").size() == 8);
    std::size_t visited = 0;
    REQUIRE(db.scan(kFirst, "", "", [&](std::string_view, std::string_view value) {
      CHECK(value == "va");
      ++visited;
      return MetadataDb::Walk::kStop;
    }));
    CHECK(visited == 1);
  }

  TEST_CASE("a scan does not see what is written meanwhile") {
    const test::TempDir directory;
    auto db = open_in(directory.path()).value();
    REQUIRE(put(db, kFirst, "a", "1"));
    std::size_t visited = 0;
    REQUIRE(db.scan(kFirst, "", "", [&](std::string_view, std::string_view) {
      ++visited;
      REQUIRE(put(db, kFirst, "b" + std::to_string(visited), "2"));
      return MetadataDb::Walk::kContinue;
    }));
    CHECK(visited == 1);
  }

  TEST_CASE("what was written survives a killed process, and new families may come later") {
    const test::TempDir directory;
    run_and_kill([&] {
      auto db = MetadataDb::open(directory.path(), {.families = {"first"}}).value();
      if (put(db, kFirst, "a", "1")) (void)::raise(SIGKILL);
    });
    auto db = open_in(directory.path()).value();
    CHECK(db.get(kFirst, "a").value() == "1");
    CHECK(put(db, kSecond, "b", "2"));
  }

  TEST_CASE("families that this program does not ask for are no obstacle and stay") {
    const test::TempDir directory;
    {
      auto db = open_in(directory.path()).value();
      REQUIRE(put(db, kSecond, "b", "2"));
    }
    {
      auto db = MetadataDb::open(directory.path(), {.families = {"first"}}).value();
      CHECK(put(db, kFirst, "a", "1"));
    }
    auto db = open_in(directory.path()).value();
    CHECK(db.get(kSecond, "b").value() == "2");
  }

  TEST_CASE("a log that is cut in a record loses its last writes only") {
    const test::TempDir directory;
    const std::string log = leave_log(directory.path());
    std::filesystem::resize_file(log, 5000);
    check_prefix_is_kept(directory.path());
  }

  TEST_CASE("a log of which a block was never written loses what follows only") {
    const test::TempDir directory;
    const std::string log = leave_log(directory.path());
    std::string bytes = test::read_whole(log);
    REQUIRE(bytes.size() > 9000);
    bytes.replace(4096, 4096, std::string(4096, '\0'));
    test::write_whole(log, bytes);
    check_prefix_is_kept(directory.path());
  }

  TEST_CASE("concurrent durable writes all return") {
    const test::TempDir directory;
    auto db = open_in(directory.path()).value();
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&db, thread] {
        for (int i = 0; i < 20; ++i) {
          const std::string key = std::to_string(thread) + "-" + std::to_string(i);
          CHECK(put(db, kFirst, key, key, Durability::kPowerCut));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(keys_of(db, "").size() == 160);
    CHECK(db.sync());
  }

  TEST_CASE("a second opener gets EBUSY, in this process and in another") {
    const test::TempDir directory;
    const auto first = open_in(directory.path()).value();
    const auto check_refused = [](const Result<MetadataDb>& second) {
      return !second && second.error().code == EBUSY && second.error().sat == Sat::kStoreInUse;
    };
    CHECK(check_refused(open_in(directory.path())));
    const auto end =
        test::run_in_child([&] { return check_refused(open_in(directory.path())) ? 0 : 1; });
    CHECK(end.exit_code == 0);
  }

  TEST_CASE("a damaged database is EUCLEAN") {
    const test::TempDir directory;
    {
      auto db = open_in(directory.path()).value();
      REQUIRE(put(db, kFirst, "a", "1"));
    }
    test::write_whole(directory.path().text + "/CURRENT", "nonsense");
    const auto opened = open_in(directory.path());
    REQUIRE(!opened);
    CHECK(opened.error().code == EUCLEAN);
    CHECK(opened.error().sat == Sat::kContradiction);
  }

  TEST_CASE("a directory that cannot be is an error with its path") {
    const test::TempDir directory;
    test::write_whole(directory.path().text + "/file", "");
    const auto opened = open_in(directory.path() / "file/below");
    REQUIRE(!opened);
    CHECK(opened.error().code == ENOTDIR);
    CHECK(opened.error().path == directory.path().text + "/file/below");
  }

  TEST_CASE("a full disk is ENOSPC, a read-only one EROFS") {
    if (::geteuid() != 0) SATCHEL_SKIP("needs root to mount a tmpfs");
    const test::TempDir directory;
    REQUIRE(::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=8m") == 0);
    {
      auto db = MetadataDb::open(directory.path() / "db",
                                 {.families = {"first"}, .write_buffer_bytes = 1U << 20U})
                    .value();
      std::vector<std::byte> noise(100'000);
      test::SeededRandom random(1);
      Result<void> written;
      for (int i = 0; i < 400 && written; ++i) {
        random.fill(noise);
        written = put(db, kFirst, std::to_string(i), as_text(noise));
      }
      CHECK(!written);
      if (!written) {
        CHECK(written.error().code == ENOSPC);
        CHECK(written.error().sat == Sat::kNoSpace);
      }
    }
    REQUIRE(::mount("", directory.path().c_str(), "", MS_REMOUNT | MS_RDONLY, "") == 0);
    const auto opened = open_in(directory.path() / "other");
    CHECK(!opened);
    if (!opened) {
      CHECK(opened.error().code == EROFS);
      CHECK(opened.error().sat == Sat::kReadOnly);
    }
    CHECK(::umount(directory.path().c_str()) == 0);
  }

  TEST_CASE("on a full disk keys can be removed, and once there is room all goes on") {
    if (::geteuid() != 0) SATCHEL_SKIP("needs root to mount a tmpfs");
    const test::TempDir directory;
    REQUIRE(::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=128m") == 0);
    {
      const HostPath place = directory.path() / "db";
      const MetadataDbOptions options{.families = {"first"}, .reserve_bytes_max = 32U << 20U};
      std::optional<MetadataDb> db(MetadataDb::open(place, options).value());
      const auto put_ordinary = [&](const std::string& key) {
        MetadataBatch batch;
        batch.put(kFirst, key, std::string(3000, 'x'));
        return db->write(batch, Durability::kProcessCrash, SpaceUse::kOrdinary);
      };
      std::set<std::string> expected;
      for (int round = 0; round < 4; ++round) {
        CAPTURE(round);
        // Few enough for memory: what RocksDB does when a write of its own, in the background,
        // meets the end of the disk is not for this test.
        for (int i = 0; i < 300; ++i) {
          const std::string key = fmt::format("{}-{:06}", round, i);
          REQUIRE(put_ordinary(key));
          expected.insert(key);
        }
        fill_disk(directory.path() / "filler");
        CHECK(put_ordinary("more").error().code == ENOSPC);
        for (int i = 0; i < 150; ++i) {
          const std::string key = *expected.begin();
          MetadataBatch batch;
          batch.remove(kFirst, key);
          const auto removed = db->write(batch);
          REQUIRE_MESSAGE(removed, to_text(removed.error()));
          expected.erase(expected.begin());
        }
        CHECK(db->sync());
        CHECK(put_ordinary("more").error().code == ENOSPC);
        // As after a crash.
        const test::TempDir elsewhere;
        std::filesystem::copy(place.text, elsewhere.path().text + "/db");
        const auto copy =
            MetadataDb::open(elsewhere.path() / "db", {.families = {"first"}}).value();
        const auto keys = keys_of(copy, "");
        CHECK(std::set(keys.begin(), keys.end()) == expected);
        REQUIRE(std::filesystem::remove((directory.path() / "filler").text));
        REQUIRE(put_ordinary("after"));  // at once
        expected.insert("after");
        CHECK(std::filesystem::file_size((place / "RESERVE").text) == 2U << 20U);
      }
      fill_disk(directory.path() / "filler");
      while (put_ordinary("last")) {
      }
      db.reset();
      CHECK(MetadataDb::open(place, options));  // also a full disk's database can be opened
    }
    CHECK(::umount(directory.path().c_str()) == 0);
  }

  TEST_CASE("a database that is opened often and only read stays small") {
    const test::TempDir directory;
    for (int i = 0; i < 30; ++i) {
      const auto db = open_in(directory.path()).value();
      CHECK(keys_of(db, "").empty());
    }
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(directory.path().text)) {
      ++files;
    }
    CHECK(files < 30);
  }

  TEST_CASE("a failing sync is an error and not a promise") {
    const test::TempDir directory;
    auto db = open_in(directory.path()).value();
    REQUIRE(set_fault_point("metadata.sync:1:eio"));
    const auto written = put(db, kFirst, "a", "1", Durability::kPowerCut);
    REQUIRE(!written);
    CHECK(written.error().code == EIO);
    REQUIRE(set_fault_point(""));
    CHECK(db.sync());
  }
}

}  // namespace
}  // namespace satchel::store
