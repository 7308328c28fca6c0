#include "store/row_cache.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "store/metadata_db.h"
#include "test/support/temp_dir.h"

namespace satchel::store {
namespace {

using Value = RowCache::Value;

Value read(RowCache& cache, const std::string& key) {
  RowCache::Ticket ticket = 0;
  const auto found = cache.find(key, ticket);
  REQUIRE(found);
  return *found;
}

bool knows(RowCache& cache, const std::string& key) {
  RowCache::Ticket ticket = 0;
  return cache.find(key, ticket).has_value();
}

void keep(RowCache& cache, const std::string& key, const Value& value) {
  RowCache::Ticket ticket = 0;
  REQUIRE(!cache.find(key, ticket));
  cache.keep(key, value, ticket);
}

}  // namespace

TEST_CASE("a row cache knows what was read and written, also what is not there") {
  RowCache cache(1U << 20U);
  keep(cache, "a", "one");
  keep(cache, "b", std::nullopt);
  CHECK(read(cache, "a") == Value("one"));
  CHECK(read(cache, "b") == Value());
  const auto ticket = cache.begin_write("b");
  CHECK_FALSE(knows(cache, "b"));
  cache.end_write("b", Value("two"), ticket);
  CHECK(read(cache, "b") == Value("two"));
  cache.clear();
  CHECK_FALSE(knows(cache, "a"));
  CHECK_FALSE(knows(cache, "b"));
}

TEST_CASE("a row cache does not keep what was read before a write ended") {
  RowCache cache(1U << 20U);
  RowCache::Ticket before = 0;
  REQUIRE(!cache.find("a", before));
  const auto write = cache.begin_write("a");
  RowCache::Ticket meanwhile = 0;
  REQUIRE(!cache.find("a", meanwhile));
  cache.keep("a", "old", before);
  cache.keep("a", "old", meanwhile);
  CHECK_FALSE(knows(cache, "a"));
  cache.end_write("a", Value("new"), write);
  cache.keep("a", "old", before);
  cache.keep("a", "old", meanwhile);
  CHECK(read(cache, "a") == Value("new"));
}

TEST_CASE("a row cache keeps neither of two writes that overlap, nor one that failed") {
  RowCache cache(1U << 20U);
  const auto first = cache.begin_write("a");
  const auto second = cache.begin_write("a");
  cache.end_write("a", Value("second"), second);
  cache.end_write("a", Value("first"), first);
  CHECK_FALSE(knows(cache, "a"));
  const auto failed = cache.begin_write("a");
  cache.end_write("a", std::nullopt, failed);
  CHECK_FALSE(knows(cache, "a"));
}

TEST_CASE("a row cache keeps what a scan came by, unless anything was written since it began") {
  RowCache cache(1U << 20U);
  const auto first = cache.begin_scan();
  REQUIRE(first);
  cache.keep_scanned("a", "one", *first);
  CHECK(read(cache, "a") == Value("one"));
  const auto write = cache.begin_write("b");
  CHECK_FALSE(cache.begin_scan());
  cache.keep_scanned("b", "old", *first);
  CHECK_FALSE(knows(cache, "b"));
  cache.end_write("b", Value("new"), write);
  cache.keep_scanned("b", "old", *first);
  CHECK(read(cache, "b") == Value("new"));
  const auto second = cache.begin_scan();
  REQUIRE(second);
  cache.clear();
  cache.keep_scanned("a", "one", *second);
  CHECK_FALSE(knows(cache, "a"));
}

TEST_CASE("a row cache does not keep long rows, nor what a long one took the place of") {
  RowCache cache(1U << 20U);
  keep(cache, "a", "short");
  cache.end_write("a", std::string(10'000, 'x'), cache.begin_write("a"));
  CHECK_FALSE(knows(cache, "a"));
  keep(cache, "a", std::string(10'000, 'x'));
  CHECK_FALSE(knows(cache, "a"));
}

TEST_CASE("a row cache is bounded, and what is asked for stays") {
  constexpr std::size_t kBytes = 256U << 10U;
  RowCache cache(kBytes);
  keep(cache, "wanted", "here");
  std::size_t known = 0;
  for (int i = 0; i < 20'000; ++i) {
    keep(cache, "row" + std::to_string(i), std::string(100, 'x'));
    if (i % 50 == 0) CHECK(read(cache, "wanted") == Value("here"));
  }
  for (int i = 0; i < 20'000; ++i) {
    if (knows(cache, "row" + std::to_string(i))) ++known;
  }
  CHECK(known > 100);
  CHECK(known * 100 < kBytes);
  RowCache none(0);
  keep(none, "a", "b");
  CHECK_FALSE(knows(none, "a"));
}

TEST_CASE("readers beside a writer see its rows in order, through a database with a row cache") {
  const test::TempDir folder;
  auto db = MetadataDb::open(
      folder.path() / "db",
      {.families = {"numbers"}, .row_cache_bytes = 1U << 20U, .row_cache_families = {0}});
  REQUIRE(db);
  constexpr int kWrites = 3000;
  std::atomic<int> written = 0;
  std::thread writer([&] {
    for (int i = 1; i <= kWrites; ++i) {
      MetadataBatch batch;
      batch.put(0, "n", std::to_string(i));
      if (i % 10 == 0) batch.remove_range(0, "n", "o");
      if (!db->write(batch)) return;
      written = i;
    }
  });
  int wrong = 0;
  const auto check = [&](int before, const std::optional<std::string>& row) {
    const int after = written + 1;  // it may be in the database before write() returns
    const bool may_be_gone = before / 10 != after / 10 || before % 10 == 0;
    if (!row ? !may_be_gone && before > 0 : std::stoi(*row) < before) ++wrong;
  };
  while (written < kWrites) {
    int before = written;
    std::optional<std::string> scanned;
    REQUIRE(db->scan(0, "n", "n", [&](std::string_view, std::string_view value) {
      scanned = value;
      return MetadataDb::Walk::kContinue;
    }));
    check(before, scanned);
    before = written;
    const auto row = db->get(0, "n");
    REQUIRE(row);
    check(before, *row);
  }
  writer.join();
  CHECK(wrong == 0);
}

}  // namespace satchel::store
