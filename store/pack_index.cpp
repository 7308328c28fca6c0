#include "store/pack_index.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <system_error>

#include "base/encoding.h"
#include "base/file_io.h"
#include "store/format_error.h"

namespace satchel::store {
namespace {

// The names carry the layout's version: an older index is left aside and a new one filled.
constexpr Family kEntries = 0;  // type ‖ id → location
constexpr Family kPacks = 1;    // pack id → "", once all its entries are there
constexpr std::size_t kBatchItems = 16384;
constexpr std::size_t kEntryCacheBytes = 8U << 20U;
constexpr std::size_t kEntryBufferBytes = 8U << 20U;

MetadataDbOptions database_options() {
  return {.families = {"entries-0", "packs-0"},
          .cache_bytes = kEntryCacheBytes,
          .write_buffer_bytes = kEntryBufferBytes};
}

std::string encode_location(const EntryLocation& location) {
  ByteWriter out;
  out.put_raw(location.pack.bytes)
      .put_u32(location.ordinal)
      .put_u8(static_cast<std::uint8_t>(location.item.codec))
      .put_u64(location.item.offset)
      .put_u32(location.item.stored_bytes)
      .put_u32(location.item.raw_bytes);
  return std::string(as_text(out.written()));
}

Result<EntryLocation> decode_location(const EntryKey& key, Bytes bytes) {
  ByteReader in(bytes);
  EntryLocation location;
  location.item.key = key;
  SATCHEL_ASSIGN(location.pack, in.get_digest<PackId>());
  SATCHEL_ASSIGN(location.ordinal, in.get_u32());
  SATCHEL_ASSIGN(const std::uint8_t codec, in.get_u8());
  location.item.codec = static_cast<Codec>(codec);
  SATCHEL_ASSIGN(location.item.offset, in.get_u64());
  SATCHEL_ASSIGN(location.item.stored_bytes, in.get_u32());
  SATCHEL_ASSIGN(location.item.raw_bytes, in.get_u32());
  SATCHEL_TRY(in.expect_end());
  return location;
}

Result<HostPath> make_private_directory(const HostPath& parent) {
  std::string path = parent.text + "/satchel-index-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return file_error(path, "cannot make a private index");
  return HostPath{path};
}

void remove_directory(const HostPath& directory) {
  std::error_code failed;  // a leftover is in the way of nothing
  std::filesystem::remove_all(directory.text, failed);
}

}  // namespace

Result<std::unique_ptr<PackIndex>> PackIndex::open(const Options& options, const Log& log) {
  if (!options.directory.text.empty()) {
    std::unique_ptr<PackIndex> index(new PackIndex(options.directory, false));
    auto opened = index->open_database(*index->database_.lock());
    if (!opened && opened.error().code == EUCLEAN) {
      log.warn("index-rebuilt reason={}", to_text(opened.error()));
      opened = index->reset();
    }
    if (opened) return index;
    if (opened.error().code == EBUSY) {
      log.debug("index-private reason={}", to_text(opened.error()));  // a mount is running
    } else {
      log.warn("index-private reason={}", to_text(opened.error()));
    }
  }
  SATCHEL_ASSIGN(auto directory, make_private_directory(options.temporary_directory));
  std::unique_ptr<PackIndex> index(new PackIndex(std::move(directory), true));
  SATCHEL_TRY(index->open_database(*index->database_.lock()));
  return index;
}

PackIndex::~PackIndex() {
  database_.lock()->db.reset();
  if (is_private_) remove_directory(directory_);
}

Result<void> PackIndex::open_database(Database& database) const {
  SATCHEL_ASSIGN(MetadataDb db, MetadataDb::open(directory_, database_options()));
  std::set<PackId> packs;
  bool is_readable = true;
  SATCHEL_TRY(db.scan(kPacks, {}, {}, [&](std::string_view key, std::string_view) {
    PackId pack;
    is_readable = key.size() == pack.bytes.size();
    if (!is_readable) return MetadataDb::Walk::kStop;
    std::ranges::copy(as_bytes(key), pack.bytes.begin());
    packs.insert(pack);
    return MetadataDb::Walk::kContinue;
  }));
  if (!is_readable) return contradiction("the index of packs holds what is no pack");
  database.db = std::move(db);
  database.packs = std::move(packs);
  return {};
}

Result<std::optional<EntryLocation>> PackIndex::find(const EntryKey& key) const {
  const auto database = database_.lock_shared();
  if (!database->db) return contradiction("the index of packs is gone");
  SATCHEL_ASSIGN(const auto value, database->db->get(kEntries, to_key_bytes(key)));
  if (!value) return std::optional<EntryLocation>{};
  SATCHEL_ASSIGN(const EntryLocation location, decode_location(key, as_bytes(*value)));
  return std::optional(location);
}

std::set<PackId> PackIndex::packs() const {
  return database_.lock_shared()->packs;
}

Result<void> PackIndex::add(const PackId& pack, const std::vector<PackIndexItem>& items) {
  SATCHEL_ASSERT(items.size() <= std::numeric_limits<std::uint32_t>::max());
  const auto database = database_.lock();
  if (!database->db) return contradiction("the index of packs is gone");
  // Listed by the last batch only: after a crash a pack that is half in is read again.
  MetadataBatch batch;
  std::size_t in_batch = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const EntryLocation location{
        .pack = pack, .ordinal = static_cast<std::uint32_t>(i), .item = items[i]};
    batch.put(kEntries, to_key_bytes(items[i].key), encode_location(location));
    if (++in_batch < kBatchItems) continue;
    SATCHEL_TRY(database->db->write(batch));
    batch.clear();
    in_batch = 0;
  }
  batch.put(kPacks, as_text(pack.bytes), {});
  SATCHEL_TRY(database->db->write(batch));
  database->packs.insert(pack);
  return {};
}

Result<void> PackIndex::reset() {
  const auto database = database_.lock();
  database->db.reset();
  database->packs.clear();
  remove_directory(directory_);
  return open_database(*database);
}

}  // namespace satchel::store
