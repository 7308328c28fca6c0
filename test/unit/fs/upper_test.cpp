#include "fs/upper.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "base/file_io.h"
#include "test/support/temp_dir.h"

namespace satchel::fs {
namespace {

using satchel::test::TempDir;

InodeRow full_row() {
  InodeRow row;
  row.kind = store::Kind::kDirectory;
  row.file_id.bytes[3] = std::byte{7};
  row.mode = 04755;
  row.uid = 1000;
  row.gid = UINT32_MAX;
  row.btime = {-5, 7};
  row.xattrs = {{"user.a", std::string("x\0y", 3)}, {"user.b", ""}};
  row.target = "to/there";
  row.device = {8, 1};
  row.names = 3;
  row.live = {.size = 1ULL << 40U,
              .blocks = 8,
              .atime = {1, 2},
              .mtime = {3, 4},
              .ctime = {5, 6},
              .data_generation = 9};
  row.generation = 10;
  row.content = store::ContentId{.digest = {}, .size = 77};
  row.bytes_mtime = {11, 12};
  row.parent = 13;
  row.name = "here";
  row.base_path = *RelativePath::parse("a/b");
  row.own_attributes = false;
  row.subdirectories = 14;
  return row;
}

std::unique_ptr<Upper> open(const TempDir& directory) {
  auto upper = Upper::open(directory.path(), {.root = {}, .version = 7, .image_root = {}},
                           Log::to_nowhere());
  REQUIRE(upper.has_value());
  return *std::move(upper);
}

void put(Upper& upper, UpperId id, const InodeRow& row) {
  store::MetadataBatch batch;
  Upper::put_row(batch, id, row);
  REQUIRE(upper.write(batch).has_value());
}

void write_bytes(Upper& upper, UpperId id, std::string_view bytes) {
  const auto fd = upper.create_bytes(id);
  REQUIRE(fd.has_value());
  REQUIRE(pwrite_all(fd->get(), as_bytes(bytes), 0).has_value());
}

InodeRow own_bytes_row(std::uint64_t size) {
  InodeRow row;
  row.live.size = size;
  return row;
}

TEST_SUITE("fs/upper") {
  TEST_CASE("rows and names are the same after encoding and decoding") {
    const InodeRow row = full_row();
    CHECK((decode_row(encode_row(row)).value() == row));
    CHECK((decode_row(encode_row(InodeRow{})).value() == InodeRow{}));
    const Dentry dentry{.child = 5,
                        .kind = store::Kind::kFifo,
                        .ino = UINT64_MAX,
                        .position = 6,
                        .generation = 7,
                        .origin = std::make_shared<const store::Entry>(
                            store::Entry::whiteout(Name::checked("gone")))};
    const Dentry decoded = decode_dentry(encode_dentry(dentry)).value();
    CHECK(encode_dentry(decoded) == encode_dentry(dentry));
    CHECK((decoded.child == dentry.child && decoded.kind == dentry.kind &&
           decoded.ino == dentry.ino && decoded.position == dentry.position &&
           decoded.generation == dentry.generation));
    REQUIRE(decoded.origin != nullptr);
    CHECK(*decoded.origin == *dentry.origin);
    Dentry plain = dentry;
    plain.origin.reset();
    CHECK(decode_dentry(encode_dentry(plain)).value().origin == nullptr);
  }

  TEST_CASE("every shortened or lengthened row is refused") {
    const std::string value = encode_row(full_row());
    for (std::size_t length = 0; length < value.size(); ++length) {
      CAPTURE(length);
      CHECK_FALSE(decode_row(value.substr(0, length)).has_value());
    }
    CHECK_FALSE(decode_row(value + "x").has_value());
    CHECK_FALSE(decode_dentry("").has_value());
    std::string newer = value;
    newer[0] = 1;
    CHECK(decode_row(newer).error().sat == Sat::kNewerFormat);
  }

  TEST_CASE("keys of numbers sort as the numbers do") {
    CHECK(encode_key(255) < encode_key(256));
    CHECK(encode_key(1) < encode_key(UINT64_MAX));
    CHECK(decode_key(encode_key(0x0102030405060708)) == 0x0102030405060708);
  }

  TEST_CASE("state, names and places last") {
    const TempDir directory;
    std::uint64_t number = 0;
    {
      const auto upper = open(directory);
      number = upper->next_number().value();
      store::MetadataBatch batch;
      Upper::put_dentry(batch, 5, "b", {.child = 1, .kind = store::Kind::kFile});
      Upper::put_dentry(batch, 5, "a", {});
      Upper::put_dentry(batch, 6, "c", {});
      Upper::put_position(batch, 5, 9, "b");
      Upper::put_place(batch, *RelativePath::parse("x/y"), 5);
      Upper::put_base(batch, {.root = {}, .version = 8, .image_root = {}});
      REQUIRE(upper->write(batch).has_value());
      CHECK(upper->end_generation().value() == 1);
      REQUIRE(upper->mark_clean().has_value());
    }
    const auto upper = open(directory);
    CHECK(upper->base().version == 8);
    CHECK(upper->generation() == 2);
    CHECK(upper->next_number().value() > number);
    const auto names = upper->list_dentries(5, "", 10).value();
    REQUIRE(names.size() == 2);
    CHECK(names[0].name == "a");
    CHECK(names[0].dentry.is_whiteout());
    CHECK(upper->list_dentries(5, "b", 10).value().size() == 1);
    CHECK(upper->list_dentries(5, "", 1).value().size() == 1);
    CHECK(upper->list_positions(5, 10, 10).value().empty());
    CHECK(upper->list_positions(5, 9, 10).value().front().name == "b");
    CHECK(upper->find_place(*RelativePath::parse("x/y")).value() == std::optional<UpperId>(5));
    CHECK(upper->find_place(*RelativePath::parse("x")).value() == std::nullopt);
  }

  TEST_CASE("a block copy that is removed while it is completed leaves no record") {
    constexpr UpperId kId = 5;
    constexpr std::uint64_t kRegions = 64;
    for (int round = 0; round < 10; ++round) {
      const TempDir directory;
      auto upper = open(directory);
      write_bytes(*upper, kId, "x");
      const store::ContentId content{.digest = {}, .size = kRegions * kRegionBytes};
      const auto map = std::make_shared<BlockMap>(content, content.size);
      store::MetadataBatch batch;
      Upper::put_block_map(batch, kId, *map);
      REQUIRE(upper->write(batch));
      upper->add_block_map(kId, map);
      std::atomic<std::uint64_t> completed = 0;
      std::thread completer([&] {
        for (std::uint64_t region = 0; region < kRegions; ++region, ++completed) {
          const std::lock_guard turn(map->write_mutex());
          CHECK(upper->own_blocks(kId, *map, region * kRegionBlocks, region * kRegionBlocks));
        }
      });
      while (completed < kRegions / 4) std::this_thread::yield();
      CHECK(upper->remove_bytes(kId));
      completer.join();
      upper.reset();
      open(directory);
    }
  }

  TEST_CASE("a second opener is refused") {
    const TempDir directory;
    const auto upper = open(directory);
    const auto second = Upper::open(directory.path(), UpperBase{}, Log::to_nowhere());
    CHECK(second.error().sat == Sat::kStoreInUse);
  }

  TEST_CASE("after an unclean stop files without a row go and the files' own sizes count") {
    const TempDir directory;
    {
      const auto upper = open(directory);
      write_bytes(*upper, 20, "orphan");
      write_bytes(*upper, 21, "longer than its row says");
      put(*upper, 21, own_bytes_row(3));
      put(*upper, 22, own_bytes_row(99));  // its file was lost by a power cut
      write_bytes(*upper, 23, "has a row, but for a content of the base");
      InodeRow row;
      row.content = store::ContentId{};
      put(*upper, 23, row);
    }
    const auto upper = open(directory);
    CHECK(upper->open_bytes(20, O_RDONLY).error().code == ENOENT);
    CHECK(upper->open_bytes(23, O_RDONLY).error().code == ENOENT);
    CHECK(upper->find_row(21).value()->live.size == 24);
    CHECK(upper->find_row(21).value()->live.mtime.seconds > 0);
    CHECK(upper->find_row(22).value()->live.size == 0);
    CHECK(upper->open_bytes(22, O_RDONLY).has_value());
  }

  TEST_CASE("after a clean stop nobody looks at the files") {
    const TempDir directory;
    {
      const auto upper = open(directory);
      write_bytes(*upper, 21, "longer than its row says");
      put(*upper, 21, own_bytes_row(3));
      REQUIRE(upper->mark_clean().has_value());
    }
    {
      const auto upper = open(directory);
      CHECK(upper->find_row(21).value()->live.size == 3);
    }
    const auto upper = open(directory);
    CHECK(upper->find_row(21).value()->live.size == 24);
  }

  TEST_CASE("times that were set after the last write outlive a crash") {
    const TempDir directory;
    {
      const auto upper = open(directory);
      write_bytes(*upper, 21, "abc");
      struct stat found {};
      REQUIRE(::fstatat(upper->bytes_folder(21), Upper::bytes_name(21).c_str(), &found, 0) == 0);
      InodeRow row = own_bytes_row(3);
      row.live.blocks = static_cast<std::uint64_t>(found.st_blocks);
      row.live.mtime = {.seconds = 1000, .nanoseconds = 1};
      row.bytes_mtime = Timestamp::from(found.st_mtim);
      put(*upper, 21, row);
    }
    const auto upper = open(directory);
    CHECK(upper->find_row(21).value()->live.mtime.seconds == 1000);
  }
}

}  // namespace
}  // namespace satchel::fs
