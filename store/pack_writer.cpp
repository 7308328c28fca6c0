#include <algorithm>

#include "base/encoding.h"
#include "base/fault_point.h"
#include "base/file_io.h"
#include "base/sha256.h"
#include "store/pack.h"
#include "store/pack_layout.h"

namespace satchel::store {
namespace {

using namespace pack_layout;

std::vector<std::byte> encode_header(PackKind kind) {
  ByteWriter out;
  out.put_raw(as_bytes(kHeaderMagic)).put_u64(static_cast<std::uint8_t>(kind));
  return out.take();
}

std::vector<std::byte> encode_index(const std::vector<PackIndexItem>& items) {
  ByteWriter out;
  out.reserve(items.size() * kItemBytes + kFooterBytes);
  for (const PackIndexItem& item : items) {
    out.put_u8(static_cast<std::uint8_t>(item.key.type))
        .put_u8(static_cast<std::uint8_t>(item.codec))
        .put_raw(item.key.id)
        .put_u64(item.offset)
        .put_u32(item.stored_bytes)
        .put_u32(item.raw_bytes);
  }
  return out.take();
}

std::vector<std::byte> encode_footer(std::uint64_t index_offset, Bytes index, std::size_t entries) {
  ByteWriter out;
  out.put_u64(index_offset)
      .put_u64(index.size())
      .put_u64(entries)
      .put_raw(sha256(index))
      .put_raw(as_bytes(kFooterMagic));
  return out.take();
}

}  // namespace

struct PackWriter::State {
  Result<void> write(Bytes bytes) {
    SATCHEL_TRY(fault_point("pack.write"));
    SATCHEL_TRY(pwrite_all(fd.get(), bytes, size));
    size += bytes.size();
    return {};
  }
  /// As write(), for what the pack id covers.
  Result<void> write_hashed(Bytes bytes) {
    SATCHEL_TRY(write(bytes));
    hash.update(bytes);
    return {};
  }

  UniqueFd fd;
  PackKind kind = PackKind::kData;
  std::uint64_t size = 0;
  Sha256 hash;
  std::vector<PackIndexItem> items;
};

PackWriter::PackWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackWriter::PackWriter(PackWriter&&) noexcept = default;
PackWriter& PackWriter::operator=(PackWriter&&) noexcept = default;
PackWriter::~PackWriter() = default;

Result<PackWriter> PackWriter::start(UniqueFd fd, PackKind kind) {
  auto state = std::make_unique<State>();
  state->fd = std::move(fd);
  state->kind = kind;
  SATCHEL_TRY(state->write_hashed(encode_header(kind)));
  return PackWriter(std::move(state));
}

Result<PackIndexItem> PackWriter::append(const EntryKey& key, std::uint32_t raw_bytes,
                                         const Encoded& stored) {
  SATCHEL_ASSERT(pack_kind_of(key.type) == state_->kind);
  SATCHEL_ASSERT(raw_bytes <= kRawBytesMax && stored.bytes.size() <= raw_bytes);
  SATCHEL_ASSERT(state_->items.size() < kPackEntriesMax);
  const PackIndexItem item{.key = key,
                           .codec = stored.codec,
                           .offset = state_->size,
                           .stored_bytes = static_cast<std::uint32_t>(stored.bytes.size()),
                           .raw_bytes = raw_bytes};
  SATCHEL_TRY(state_->write_hashed(stored.bytes));
  state_->items.push_back(item);
  return item;
}

std::uint64_t PackWriter::bytes() const {
  return state_->size;
}
std::size_t PackWriter::entries() const {
  return state_->items.size();
}
int PackWriter::fd() const {
  return state_->fd.get();
}
const std::vector<PackIndexItem>& PackWriter::items() const {
  return state_->items;
}

Result<PackId> PackWriter::finish() {
  std::ranges::sort(state_->items, {}, &PackIndexItem::key);
  const auto twice = std::ranges::adjacent_find(state_->items, {}, &PackIndexItem::key);
  SATCHEL_ASSERT(twice == state_->items.end());
  const std::uint64_t index_offset = state_->size;
  const std::vector<std::byte> index = encode_index(state_->items);
  SATCHEL_TRY(state_->write_hashed(index));
  SATCHEL_TRY(state_->write(encode_footer(index_offset, index, state_->items.size())));
  SATCHEL_TRY(fsync_at_fault_point("pack.fsync", state_->fd.get()));
  return PackId{state_->hash.finish()};
}

}  // namespace satchel::store
