// Block copies: what the upper's database says of large files that still share bytes with the base.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/fault_point.h"
#include "base/file_io.h"
#include "fs/upper.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kIdBytes = 8;

std::string region_key(UpperId id, std::uint64_t region) {
  return encode_key(id) + encode_key(region);
}

std::string encode_head(const BlockMap& map) {
  ByteWriter out;
  out.put_varint(map.content().size).put_raw(map.content().digest.bytes);
  out.put_varint(map.shown_bytes());
  return std::string(as_text(out.written()));
}

Result<std::shared_ptr<BlockMap>> decode_head(std::string_view value) {
  ByteReader in(as_bytes(value));
  store::ContentId content;
  SATCHEL_ASSIGN(content.size, in.get_varint());
  SATCHEL_ASSIGN(content.digest, in.get_digest<store::ContentDigest>());
  SATCHEL_ASSIGN(const std::uint64_t shown, in.get_varint_up_to(content.size));
  SATCHEL_TRY(in.expect_end());
  return std::make_shared<BlockMap>(content, shown);
}

Error contradiction() {
  return {.code = EUCLEAN,
          .sat = Sat::kContradiction,
          .message = "the upper's records of copied blocks contradict each other"};
}

/// Where data or a hole begins, at most `end`.
Result<std::uint64_t> seek_up_to(int fd, std::uint64_t from, int whence, std::uint64_t end) {
  if (from >= end) return end;
  const off_t found = ::lseek(fd, static_cast<off_t>(from), whence);
  if (found < 0 && errno == ENXIO) return end;
  if (found < 0) return file_error({}, "look for holes in a changed file");
  return std::min(end, static_cast<std::uint64_t>(found));
}

}  // namespace

void Upper::put_block_map(store::MetadataBatch& batch, UpperId id, const BlockMap& map) {
  batch.put(kBlocks, encode_key(id), encode_head(map));
}

void Upper::add_block_map(UpperId id, std::shared_ptr<BlockMap> map) {
  const auto maps = block_maps_.lock();
  maps->insert_or_assign(id, std::move(map));
  block_maps_count_ = maps->size();
}

std::shared_ptr<BlockMap> Upper::find_block_map(UpperId id) const {
  if (block_maps_count_ == 0) return nullptr;
  const auto maps = block_maps_.lock_shared();
  const auto found = maps->find(id);
  return found == maps->end() ? nullptr : found->second;
}

Result<void> Upper::own_blocks(UpperId id, BlockMap& map, std::uint64_t first, std::uint64_t last) {
  const std::uint64_t shown = map.shown_blocks();
  if (first >= shown) return {};
  last = std::min(last, shown - 1);
  store::MetadataBatch batch;
  std::vector<std::pair<std::uint64_t, BlockMap::Region>> regions;
  for (std::uint64_t index = first / kRegionBlocks; index <= last / kRegionBlocks; ++index) {
    const BlockMap::Region before = map.region(index);
    BlockMap::Region owned = before;
    const std::uint64_t start = index * kRegionBlocks;
    const std::uint64_t stop = std::min(last, start + kRegionBlocks - 1);
    for (std::uint64_t block = std::max(first, start); block <= stop; ++block) {
      owned.set(block - start);
    }
    if (owned == before) continue;
    batch.put(kBlocks, region_key(id, index), encode_region(owned));
    regions.emplace_back(index, owned);
  }
  if (regions.empty()) return {};
  SATCHEL_TRY(fault_point("upper.own_blocks"));
  SATCHEL_TRY(write(batch, store::Durability::kProcessCrash, store::SpaceUse::kOrdinary));
  for (const auto& [index, owned] : regions) map.set_region(index, owned);
  return {};
}

Result<void> Upper::clear_shown(int fd, const BlockMap& map, std::uint64_t offset,
                                std::uint64_t end) {
  if (offset >= end) return {};
  for (const BlockMap::Run& run : map.runs(offset, end - offset)) {
    if (run.is_own) continue;
    const std::uint64_t start = run.offset / kCopyBlockBytes * kCopyBlockBytes;
    if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(start),
                    static_cast<off_t>(run.offset + run.length - start)) != 0) {
      return file_error({}, "clear what did not become a part of a changed file");
    }
  }
  return {};
}

Result<void> Upper::hide_from(UpperId id, BlockMap& map, std::uint64_t offset) {
  if (offset == 0) return end_block_map(id);
  map.hide_from(offset);
  store::MetadataBatch batch;
  put_block_map(batch, id, map);
  return write(batch, store::Durability::kPowerCut);
}

Result<void> Upper::end_block_map(UpperId id) {
  const auto map = find_block_map(id);
  if (!map) return {};
  store::MetadataBatch batch;
  batch.remove(kBlocks, encode_key(id));
  for (std::uint64_t index = 0; index * kRegionBytes < map->content().size; ++index) {
    batch.remove(kBlocks, region_key(id, index));
  }
  SATCHEL_TRY(fault_point("upper.end_block_map"));
  SATCHEL_TRY(write(batch, store::Durability::kPowerCut));
  map->hide_from(0);  // for those who still hold it
  const auto maps = block_maps_.lock();
  maps->erase(id);
  block_maps_count_ = maps->size();
  return {};
}

Result<void> Upper::load_block_maps() {
  const auto maps = block_maps_.lock();
  std::optional<Error> error;
  SATCHEL_TRY(db_.scan(kBlocks, {}, {}, [&](std::string_view key, std::string_view value) {
    const auto keep_error = [&](Error what) {
      error = std::move(what);
      return store::MetadataDb::Walk::kStop;
    };
    if (key.size() != kIdBytes && key.size() != 2 * kIdBytes) return keep_error(contradiction());
    const UpperId id = decode_key(key.substr(0, kIdBytes));
    if (key.size() == kIdBytes) {
      auto map = decode_head(value);
      if (!map) return keep_error(std::move(map).error());
      maps->emplace(id, *std::move(map));
      return store::MetadataDb::Walk::kContinue;
    }
    const auto map = maps->find(id);
    if (map == maps->end()) return keep_error(contradiction());  // a head sorts before its regions
    auto region = decode_region(value);
    if (!region) return keep_error(std::move(region).error());
    map->second->set_region(decode_key(key.substr(kIdBytes)), *region);
    return store::MetadataDb::Walk::kContinue;
  }));
  if (error) return std::move(*error);
  block_maps_count_ = maps->size();
  return {};
}

// The file is on the medium before its row is, and a shrinking one before its head is; but what was
// written to it and never synced may be missing, and then a record of its blocks says too much.
Result<void> Upper::repair_block_map(UpperId id, BlockMap& map) {
  SATCHEL_ASSIGN(const UniqueFd fd, open_bytes(id, O_RDWR));
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return file_error({}, "look at a changed file");
  map.hide_from(static_cast<std::uint64_t>(found.st_size));
  const std::vector<std::uint64_t> recorded = map.owned_regions();
  const std::uint64_t end = map.shown_bytes();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> data;
  for (std::uint64_t position = 0; position < end;) {
    SATCHEL_ASSIGN(const std::uint64_t hole, seek_up_to(fd.get(), position, SEEK_HOLE, end));
    if (hole > position) data.emplace_back(position, hole);
    SATCHEL_ASSIGN(position, seek_up_to(fd.get(), hole, SEEK_DATA, end));
    map.disown(hole, position);
  }
  // Holes may be smaller than blocks: what is left of a block that lost a part of it goes too.
  for (const auto& [begin, stop] : data) SATCHEL_TRY(clear_shown(fd.get(), map, begin, stop));
  store::MetadataBatch batch;
  put_block_map(batch, id, map);
  for (const std::uint64_t index : recorded) {
    batch.put(kBlocks, region_key(id, index), encode_region(map.region(index)));
  }
  return write(batch);
}

Result<void> Upper::repair_block_maps() {
  const auto maps = *block_maps_.lock_shared();
  for (const auto& [id, map] : maps) {
    SATCHEL_ASSIGN(const auto row, find_row(id));
    if (!row || !row->has_own_bytes()) {
      SATCHEL_TRY(end_block_map(id));
    } else {
      SATCHEL_TRY(repair_block_map(id, *map));
    }
  }
  return {};
}

}  // namespace satchel::fs
