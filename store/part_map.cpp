#include "store/part_map.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/file_io.h"
#include "base/sha256.h"
#include "store/sparse_file.h"

namespace satchel::store {
namespace {

// Stands for the format: records of another one have another checksum.
constexpr std::string_view kMagic = "satchel-part-map-0";
constexpr std::size_t kBitBytes = kRecipeSpanBytes / kLeafBytes / 8;
constexpr std::size_t kRecordBytes = kBitBytes + sizeof(Sha256Value);

Sha256Value checksum(std::uint64_t span, Bytes bits) {
  ByteWriter hashed;
  hashed.put_raw(as_bytes(kMagic)).put_u64(span).put_raw(bits);
  return sha256(hashed.written());
}

}  // namespace

Result<void> PartMap::load(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return file_error("", "cannot look at the map of a part");
  const auto records = static_cast<std::uint64_t>(status.st_size) / kRecordBytes;
  std::uint64_t position = 0;
  const SparseFileVisitor visitor{
      .data = [&](Bytes bytes) -> Result<void> {
        // Pieces begin and end between records: both sizes divide a block.
        for (; bytes.size() >= kRecordBytes; bytes = bytes.subspan(kRecordBytes)) {
          load_record(position / kRecordBytes, bytes.first(kRecordBytes));
          position += kRecordBytes;
        }
        return {};
      },
      .hole = [&](std::uint64_t bytes) -> Result<void> {
        position += bytes;
        return {};
      }};
  return visit_sparse_file(fd, records * kRecordBytes, visitor);
}

void PartMap::load_record(std::uint64_t span, Bytes record) {
  const Bytes bits = record.first(kBitBytes);
  if (!std::ranges::equal(record.subspan(kBitBytes), checksum(span, bits))) return;
  for (std::size_t i = 0; i < kSpanLeaves; ++i) {
    const bool is_set = (std::to_integer<unsigned>(bits[i / 8]) >> (i % 8) & 1U) != 0;
    const std::uint64_t leaf = span * kSpanLeaves + i;
    if (!is_set || leaf >= leaves_ || has(leaf)) continue;
    spans_[span].set(i);
    ++present_;
  }
}

bool PartMap::has(std::uint64_t leaf) const {
  const auto found = spans_.find(leaf / kSpanLeaves);
  return found != spans_.end() && found->second.test(leaf % kSpanLeaves);
}

void PartMap::add(std::uint64_t leaf) {
  SATCHEL_ASSERT(leaf < leaves_);
  if (has(leaf)) return;
  spans_[leaf / kSpanLeaves].set(leaf % kSpanLeaves);
  changed_.insert(leaf / kSpanLeaves);
  ++present_;
  ++unsaved_;
}

void PartMap::clear() {
  spans_.clear();
  changed_.clear();
  present_ = 0;
  unsaved_ = 0;
}

std::vector<PartMap::Record> PartMap::take_changed() {
  std::vector<Record> records;
  records.reserve(changed_.size());
  for (const std::uint64_t span : changed_) records.push_back({span, encode(span, spans_[span])});
  changed_.clear();
  unsaved_ = 0;
  return records;
}

std::vector<std::byte> PartMap::encode(std::uint64_t span, const SpanLeaves& leaves) {
  std::vector<std::byte> bits(kBitBytes);
  for (std::size_t i = 0; i < kSpanLeaves; ++i) {
    if (leaves.test(i)) bits[i / 8] |= std::byte{1} << (i % 8);
  }
  ByteWriter record;
  record.put_raw(bits).put_raw(checksum(span, bits));
  return record.take();
}

Result<void> PartMap::write_records(int fd, const std::vector<Record>& records) {
  for (const Record& record : records) {
    SATCHEL_TRY(pwrite_all(fd, record.bytes, record.span * kRecordBytes));
  }
  return {};
}

}  // namespace satchel::store
