#include "store/upload.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "base/fault_point.h"
#include "base/sha256.h"
#include "test/support/file_bytes.h"
#include "test/support/scratch_repository.h"

namespace satchel::store {
namespace {

EntryKey chunk_key(const ChunkId& id) {
  return EntryKey::of(EntryType::kChunk, id);
}

EntryKey key_of(EntryType type, std::string_view raw) {
  return {type, sha256(as_bytes(raw))};
}

std::size_t temporary_files(const test::ScratchRepository& scratch) {
  const std::filesystem::directory_iterator files(scratch.path().text + "/packs/tmp");
  return static_cast<std::size_t>(std::ranges::distance(files, std::filesystem::end(files)));
}

std::vector<std::byte> noise(std::uint64_t seed, std::size_t size) {
  std::vector<std::byte> bytes(size);
  test::SeededRandom(seed).fill(bytes);
  return bytes;
}

TEST_SUITE("store/upload") {
  TEST_CASE("entries go to packs of their kind, each once") {
    test::ScratchRepository scratch;
    Upload upload(*scratch);
    const EntryKey page = key_of(EntryType::kDirectoryPage, "a page");
    CHECK(upload.put_chunk(as_bytes("a chunk")).value() ==
          scratch->name_chunk(as_bytes("a chunk")));
    CHECK(upload.put(key_of(EntryType::kChunk, "a chunk"), as_bytes("a chunk")).value() ==
          Upload::Put::kKnown);
    CHECK(upload.put(page, as_bytes("a page")).value() == Upload::Put::kNew);
    CHECK(!scratch->has(page).value());
    const auto packs = upload.finish().value();
    CHECK(packs.size() == 2);
    CHECK(scratch->locate(key_of(EntryType::kChunk, "a chunk")).value()->pack == packs[0]);
    CHECK(scratch->locate(page).value()->pack == packs[1]);
    CHECK(as_text(scratch->get(page).value()) == "a page");
    const UploadCounts counts = upload.counts();
    CHECK(counts.chunks_new == 1);
    CHECK(counts.entries_new == 2);
    CHECK(counts.raw_bytes_new == 13);
    std::uint64_t bytes = 0;
    for (const std::string& path : scratch.pack_paths()) bytes += std::filesystem::file_size(path);
    CHECK(counts.bytes_stored == bytes);
    CHECK(temporary_files(scratch) == 0);
  }

  TEST_CASE("an upload without anything new writes nothing") {
    test::ScratchRepository scratch;
    const auto ids = scratch.put_chunks({"one"});
    const auto pack = scratch->list_packs().value();
    Upload upload(*scratch);
    CHECK(upload.put(chunk_key(ids[0]), as_bytes("one")).value() == Upload::Put::kKnown);
    CHECK(upload.finish().value().empty());
    CHECK(upload.counts().bytes_stored == 0);
    CHECK(upload.relied_on() == pack);
    CHECK(scratch->list_packs().value() == pack);
  }

  TEST_CASE("what another opener published counts as known") {
    test::ScratchRepository scratch;
    auto other = scratch.open("other").value();
    const auto ids = scratch.put_chunks({"one"});
    Upload upload(other);
    CHECK(upload.put(chunk_key(ids[0]), as_bytes("one")).value() == Upload::Put::kKnown);
  }

  TEST_CASE("what was put can be read back until it is in the repository") {
    test::ScratchRepository scratch;
    Upload upload(*scratch);
    const std::string text(100'000, 'z');
    const ChunkId id = upload.put_chunk(as_bytes(text)).value();
    CHECK(as_text(upload.get(chunk_key(id)).value().value()) == text);
    CHECK(!upload.get(key_of(EntryType::kRoot, "absent")).value());
    REQUIRE(upload.finish());
    CHECK(!upload.get(chunk_key(id)).value());
    CHECK(as_text(scratch->get(chunk_key(id)).value()) == text);
  }

  TEST_CASE("a full pack is published and the next one begun") {
    constexpr std::size_t kPiece = 4U << 20U;
    constexpr std::size_t kPieces = 20;  // 80 MiB
    test::ScratchRepository scratch;
    Upload upload(*scratch);
    for (std::size_t i = 0; i < kPieces; ++i) REQUIRE(upload.put_chunk(noise(i, kPiece)));
    CHECK(scratch->list_packs()->size() == 1);
    CHECK(upload.finish()->size() == 2);
    for (const std::string& path : scratch.pack_paths()) {
      CHECK(std::filesystem::file_size(path) < Upload::kPackBytes + kPiece + 4096);
    }
  }

  TEST_CASE("many threads put overlapping entries, each is stored once") {
    constexpr std::size_t kThreads = 4;
    constexpr std::uint64_t kChunks = 300;
    test::ScratchRepository scratch;
    Upload upload(*scratch);
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (std::uint64_t i = 0; i < kChunks; ++i) {
          const auto bytes = noise(i, 1000);
          const auto id = upload.put_chunk(bytes);
          CHECK(id);
          const auto back = upload.get(chunk_key(*id));
          CHECK((back && back->has_value() && **back == bytes));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(upload.finish());
    CHECK(upload.counts().chunks_new == kChunks);
    for (std::uint64_t i = 0; i < kChunks; ++i) {
      const auto bytes = noise(i, 1000);
      CHECK(scratch->get(chunk_key(scratch->name_chunk(bytes))).value() == bytes);
    }
  }

  TEST_CASE("an upload that is dropped leaves nothing behind") {
    test::ScratchRepository scratch;
    {
      Upload upload(*scratch);
      REQUIRE(upload.put_chunk(as_bytes("one")));
      CHECK(temporary_files(scratch) == 1);
    }
    CHECK(temporary_files(scratch) == 0);
    CHECK(scratch->list_packs()->empty());
  }

  TEST_CASE("after an error nothing that may be lost counts as put") {
    struct Row {
      std::string fault;
      bool is_at_finish;
    };
    const Row rows[] = {
        {"pack.write:2:eio", false}, {"pack.fsync:1:eio", true}, {"pack.rename:1:eio", true}};
    for (const Row& row : rows) {
      CAPTURE(row.fault);
      test::ScratchRepository scratch;
      {
        Upload upload(*scratch);
        REQUIRE(set_fault_point(row.fault));
        const auto put = upload.put_chunk(as_bytes("one"));
        CHECK(put.has_value() == row.is_at_finish);
        const auto finished = upload.finish();
        REQUIRE(!finished);
        CHECK(finished.error().code == EIO);
        REQUIRE(set_fault_point(""));
        CHECK(!upload.put_chunk(as_bytes("one")));
        CHECK(!upload.put_chunk(as_bytes("two")));
        CHECK(!upload.finish());
      }
      CHECK(temporary_files(scratch) == 0);
      CHECK(!scratch->has(key_of(EntryType::kChunk, "one")).value());
      CHECK(scratch.put_chunks({"one"}).size() == 1);
    }
  }

  TEST_CASE("the first writer removes what writers who died left long ago") {
    test::ScratchRepository scratch;
    const auto age = [&](const std::string& name, std::chrono::hours hours) {
      std::string path = scratch.path().text + "/" + name;
      test::write_whole(path, "left");
      std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - hours);
      return path;
    };
    const std::string old_pack = age("packs/tmp/old", std::chrono::hours(25));
    const std::string old_ref = age("refs/tmp/old", std::chrono::hours(25));
    const std::string young = age("packs/tmp/young", std::chrono::hours(23));
    auto other = scratch.open("other").value();
    CHECK(std::filesystem::exists(old_pack));
    Upload upload(other);
    REQUIRE(upload.put_chunk(as_bytes("one")));
    CHECK(!std::filesystem::exists(old_pack));
    CHECK(!std::filesystem::exists(old_ref));
    CHECK(std::filesystem::exists(young));
  }
}

}  // namespace
}  // namespace satchel::store
