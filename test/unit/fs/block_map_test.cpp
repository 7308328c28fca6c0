#include "fs/block_map.h"

#include <doctest/doctest.h>

#include <ostream>

namespace satchel::fs {
namespace {

constexpr std::uint64_t kBlock = kCopyBlockBytes;

store::ContentId content_of(std::uint64_t size) {
  return {.digest = {}, .size = size};
}

/// `map` owns the blocks first…last.
void own(BlockMap& map, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t block = first; block <= last; ++block) {
    auto region = map.region(block / kRegionBlocks);
    region.set(block % kRegionBlocks);
    map.set_region(block / kRegionBlocks, region);
  }
}

std::string text_of(const std::vector<BlockMap::Run>& runs) {
  std::string text;
  for (const auto& run : runs) {
    text += (run.is_own ? "own " : "shown ") + std::to_string(run.offset) + "+" +
            std::to_string(run.length) + ";";
  }
  return text;
}

TEST_SUITE("fs/block_map") {
  TEST_CASE("runs are cut where the owner changes, also across regions") {
    BlockMap map(content_of(3 * kRegionBytes), 3 * kRegionBytes);
    own(map, kRegionBlocks - 1, kRegionBlocks);
    CHECK(text_of(map.runs(kRegionBytes - 2 * kBlock, 4 * kBlock)) ==
          "shown 4186112+4096;own 4190208+8192;shown 4198400+4096;");
    CHECK(text_of(map.runs(kRegionBytes + 10, 20)) == "own 4194314+20;");
    CHECK(map.runs(5, 0).empty());
  }

  TEST_CASE("a run tells how much of it is shown") {
    BlockMap map(content_of(10 * kBlock), 2 * kBlock + 100);
    own(map, 0, 0);
    const auto runs = map.runs(0, 10 * kBlock);
    REQUIRE(text_of(runs) == "own 0+4096;shown 4096+8192;own 12288+28672;");
    CHECK(runs[1].shown == kBlock + 100);
    CHECK(map.runs(2 * kBlock + 100, 50).at(0).shown == 0);
  }

  TEST_CASE("what lies beyond the shown bytes is the file's own") {
    BlockMap map(content_of(10 * kBlock), 2 * kBlock + 1);
    CHECK_FALSE(map.owns(2));
    CHECK(map.owns(3));
    map.hide_from(2 * kBlock);
    CHECK(map.owns(2));
    CHECK_FALSE(map.owns(1));
    map.hide_from(5 * kBlock);  // what is hidden stays hidden
    CHECK(map.shown_bytes() == 2 * kBlock);
    CHECK(map.shown_blocks() == 2);
  }

  TEST_CASE("a write cuts the blocks of which it leaves a shown byte") {
    BlockMap map(content_of(4 * kBlock), 3 * kBlock + 100);
    using Blocks = std::vector<std::uint64_t>;
    CHECK(map.cut_blocks(0, kBlock) == Blocks{});
    CHECK(map.cut_blocks(1, kBlock - 1) == Blocks{0});
    CHECK(map.cut_blocks(0, kBlock - 1) == Blocks{0});
    CHECK(map.cut_blocks(1, 2) == Blocks{0});
    CHECK(map.cut_blocks(kBlock - 1, 2) == Blocks{0, 1});
    CHECK(map.cut_blocks(kBlock - 1, 2 + 2 * kBlock) == Blocks{0, 3});
    CHECK(map.cut_blocks(3 * kBlock, 100) == Blocks{});  // all that is shown of the last
    CHECK(map.cut_blocks(3 * kBlock, 99) == Blocks{3});
    CHECK(map.cut_blocks(3 * kBlock + 200, 10) == Blocks{3});
    CHECK(map.cut_blocks(5 * kBlock + 1, 10) == Blocks{});
    CHECK(map.cut_blocks(1, 0) == Blocks{});
    own(map, 0, 0);
    CHECK(map.cut_blocks(kBlock - 1, 2) == Blocks{1});
  }

  TEST_CASE("what is disowned is every block that is touched") {
    BlockMap map(content_of(4 * kBlock), 4 * kBlock);
    own(map, 0, 3);
    map.disown(kBlock + 1, kBlock + 1);
    CHECK(text_of(map.runs(0, 4 * kBlock)) == "own 0+16384;");
    map.disown(2 * kBlock - 1, 2 * kBlock + 1);
    CHECK(text_of(map.runs(0, 4 * kBlock)) == "own 0+4096;shown 4096+8192;own 12288+4096;");
    CHECK(map.owned_regions() == std::vector<std::uint64_t>{0});
    map.disown(0, 4 * kBlock);
    CHECK(map.owned_regions().empty());
  }

  TEST_CASE("use becomes much once for each 16 MiB") {
    BlockMap map(content_of(kBlock), kBlock);
    CHECK_FALSE(map.note_use((16U << 20U) - 1));
    CHECK(map.note_use(1));
    CHECK_FALSE(map.note_use(1));
  }

  TEST_CASE("a region is 128 bytes, lowest bit first") {
    BlockMap::Region region;
    region.set(0).set(9).set(1023);
    const std::string value = encode_region(region);
    REQUIRE(value.size() == 128);
    CHECK(value[0] == 1);
    CHECK(value[1] == 2);
    CHECK(static_cast<unsigned char>(value[127]) == 0x80);
    CHECK(decode_region(value).value() == region);
    CHECK(decode_region(value + "x").error().code == EUCLEAN);
  }
}

}  // namespace
}  // namespace satchel::fs
