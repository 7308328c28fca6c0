#include "fs/node_index.h"

#include "base/encoding.h"

namespace satchel::fs {
namespace {

constexpr std::string_view kReservedKey = "reserved";
/// Ids below the reserved end may have been given out before a crash. A block each 2²⁰ ids costs
/// one sync; 2⁶⁴ ids last for 2⁴⁴ restarts.
constexpr std::uint64_t kBlockIds = std::uint64_t{1} << 20U;

std::string key_of(const store::FileId& file_id) {
  return std::string(as_text(file_id.bytes));
}

std::string encode_place(const NodeIndex::Place& place) {
  ByteWriter out;
  out.put_u64(static_cast<std::uint64_t>(place.parent)).put_u64(place.upper);
  out.put_raw(place.file_id.bytes).put_raw(as_bytes(place.name));
  return std::string(as_text(out.written()));
}

Result<NodeIndex::Place> decode_place(std::string_view value) {
  ByteReader in(as_bytes(value));
  NodeIndex::Place place;
  SATCHEL_ASSIGN(const auto parent, in.get_u64());
  place.parent = NodeId{parent};
  SATCHEL_ASSIGN(place.upper, in.get_u64());
  SATCHEL_ASSIGN(const auto file_id, in.get_raw(place.file_id.bytes.size()));
  std::copy(file_id.begin(), file_id.end(), place.file_id.bytes.begin());
  SATCHEL_ASSIGN(const auto name, in.get_raw(in.remaining()));
  place.name = as_text(name);
  return place;
}

}  // namespace

NodeIndex::NodeIndex(store::MetadataDb db, std::uint64_t next, const Log& log)
    : db_(std::move(db)), log_(&log), next_(next), reserved_(next) {}

Result<std::unique_ptr<NodeIndex>> NodeIndex::open(const HostPath& directory, const Log& log) {
  store::MetadataDbOptions options;
  options.families = {"places", "ids", "state"};
  SATCHEL_ASSIGN(auto db, store::MetadataDb::open(directory, options));
  SATCHEL_ASSIGN(const auto reserved, db.get(kState, kReservedKey));
  std::uint64_t next = static_cast<std::uint64_t>(kRootNode) + 1;
  if (reserved) {
    ByteReader in(as_bytes(*reserved));
    SATCHEL_ASSIGN(next, in.get_u64());
  }
  std::unique_ptr<NodeIndex> index(new NodeIndex(std::move(db), next, log));
  SATCHEL_TRY(index->reserve(next + kBlockIds));
  return index;
}

Result<void> NodeIndex::reserve(std::uint64_t end) {
  store::MetadataBatch batch;
  ByteWriter value;
  value.put_u64(end);
  batch.put(kState, kReservedKey, as_text(value.written()));
  SATCHEL_TRY(db_.write(batch, store::Durability::kPowerCut));
  reserved_ = end;
  return {};
}

void NodeIndex::write(const store::MetadataBatch& batch) {
  if (const auto written = db_.write(batch); !written) {
    log_->warn("node_not_kept error=\"{}\"", to_text(written.error()));
  }
}

std::optional<NodeId> NodeIndex::find_id(const store::FileId& file_id) const {
  const auto value = db_.get(kIds, key_of(file_id));
  if (!value || !*value) return std::nullopt;
  return NodeId{decode_key(**value)};
}

NodeId NodeIndex::give_id(const store::FileId& file_id) {
  const std::lock_guard lock(mutex_);
  if (next_ == reserved_) {
    if (const auto reserved = reserve(next_ + kBlockIds); !reserved) {
      // The disk is full or broken. A crash now could make a later mount give these ids again.
      log_->error("node_ids_not_reserved error=\"{}\"", to_text(reserved.error()));
      reserved_ = next_ + kBlockIds;
    }
  }
  const NodeId id{next_++};
  store::MetadataBatch batch;
  batch.put(kIds, key_of(file_id), encode_key(static_cast<std::uint64_t>(id)));
  write(batch);
  return id;
}

void NodeIndex::keep_id(NodeId id, const store::FileId& before, const store::FileId& file_id) {
  store::MetadataBatch batch;
  if (find_id(before) == id) batch.remove(kIds, key_of(before));
  if (!find_id(file_id)) {
    batch.put(kIds, key_of(file_id), encode_key(static_cast<std::uint64_t>(id)));
  }
  write(batch);
}

Result<std::optional<NodeIndex::Place>> NodeIndex::find_place(NodeId id) const {
  SATCHEL_ASSIGN(const auto value, db_.get(kPlaces, encode_key(static_cast<std::uint64_t>(id))));
  if (!value) return std::optional<Place>();
  SATCHEL_ASSIGN(auto place, decode_place(*value));
  return std::optional(std::move(place));
}

void NodeIndex::put_place(NodeId id, const Place& place) {
  store::MetadataBatch batch;
  batch.put(kPlaces, encode_key(static_cast<std::uint64_t>(id)), encode_place(place));
  write(batch);
}

void NodeIndex::remove(NodeId id, const store::FileId& file_id) {
  store::MetadataBatch batch;
  batch.remove(kPlaces, encode_key(static_cast<std::uint64_t>(id)));
  if (find_id(file_id) == id) batch.remove(kIds, key_of(file_id));
  write(batch);
}

}  // namespace satchel::fs
