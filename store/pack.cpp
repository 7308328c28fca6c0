#include "store/pack.h"

#include <sys/stat.h>

#include <algorithm>
#include <ostream>

#include "base/encoding.h"
#include "base/file_io.h"
#include "base/sha256.h"
#include "store/format_error.h"
#include "store/pack_layout.h"

namespace satchel::store {
namespace {

using namespace pack_layout;

constexpr std::size_t kVerifyBytes = 1U << 20U;

Result<std::uint64_t> file_size(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return file_error({}, "cannot stat a pack");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::vector<std::byte>> read_exactly(int fd, std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> bytes(size);
  SATCHEL_ASSIGN(const std::size_t count, pread_all(fd, bytes, offset));
  if (count != size) return corrupted("a pack is cut short");
  return bytes;
}

/// The same magic with another digit at its end is another version; anything else is no pack.
Result<void> check_magic(Bytes found, std::string_view expected) {
  const std::string_view text = as_text(found);
  if (text == expected) return {};
  const std::string_view family = expected.substr(0, expected.size() - 1);
  if (text.starts_with(family)) return newer_format("version of a pack");
  return corrupted("not a pack, or cut short");
}

Result<PackKind> read_header(int fd) {
  SATCHEL_ASSIGN(const auto bytes, read_exactly(fd, 0, kHeaderBytes));
  ByteReader in(bytes);
  SATCHEL_ASSIGN(const Bytes magic, in.get_raw(kHeaderMagic.size()));
  SATCHEL_TRY(check_magic(magic, kHeaderMagic));
  SATCHEL_ASSIGN(const std::uint64_t kind, in.get_u64());
  if (kind != static_cast<std::uint64_t>(PackKind::kData) &&
      kind != static_cast<std::uint64_t>(PackKind::kMetadata)) {
    return newer_format("kind of pack");
  }
  return static_cast<PackKind>(kind);
}

struct Footer {
  std::uint64_t index_offset = 0;
  std::size_t entries = 0;
  Sha256Value index_hash{};
};

Result<Footer> read_footer(int fd, std::uint64_t size) {
  if (size < kHeaderBytes + kFooterBytes) return corrupted("not a pack, or cut short");
  SATCHEL_ASSIGN(const auto bytes, read_exactly(fd, size - kFooterBytes, kFooterBytes));
  SATCHEL_TRY(check_magic(Bytes(bytes).last(kFooterMagic.size()), kFooterMagic));
  ByteReader in(bytes);
  Footer footer;
  SATCHEL_ASSIGN(footer.index_offset, in.get_u64());
  SATCHEL_ASSIGN(const std::uint64_t index_bytes, in.get_u64());
  SATCHEL_ASSIGN(const std::uint64_t entries, in.get_u64());
  SATCHEL_ASSIGN(footer.index_hash, in.get_array<32>());
  if (entries > kPackEntriesMax) return beyond_limit("a pack has too many entries");
  footer.entries = static_cast<std::size_t>(entries);
  if (index_bytes != entries * kItemBytes || footer.index_offset < kHeaderBytes ||
      footer.index_offset != size - kFooterBytes - index_bytes) {
    return contradiction("a pack's footer does not fit its size");
  }
  return footer;
}

Result<PackIndexItem> read_item(ByteReader& in, PackKind kind, std::uint64_t index_offset) {
  SATCHEL_ASSIGN(const std::uint8_t type, in.get_u8());
  SATCHEL_ASSIGN(const std::uint8_t codec, in.get_u8());
  PackIndexItem item;
  SATCHEL_ASSIGN(item.key.id, in.get_array<32>());
  SATCHEL_ASSIGN(item.offset, in.get_u64());
  SATCHEL_ASSIGN(item.stored_bytes, in.get_u32());
  SATCHEL_ASSIGN(item.raw_bytes, in.get_u32());
  if (type < static_cast<std::uint8_t>(EntryType::kChunk) ||
      type > static_cast<std::uint8_t>(EntryType::kRoot)) {
    return newer_format("type of pack entry");
  }
  if (codec > static_cast<std::uint8_t>(Codec::kZstd)) return newer_format("codec");
  item.key.type = static_cast<EntryType>(type);
  item.codec = static_cast<Codec>(codec);
  if (pack_kind_of(item.key.type) != kind)
    return contradiction("an entry in the wrong kind of pack");
  if (item.raw_bytes > kRawBytesMax || item.stored_bytes > item.raw_bytes) {
    return contradiction("a pack entry has an impossible length");
  }
  if (item.offset < kHeaderBytes || item.offset > index_offset ||
      item.stored_bytes > index_offset - item.offset) {
    return contradiction("a pack entry lies outside of its pack");
  }
  return item;
}

}  // namespace

PackKind pack_kind_of(EntryType type) {
  return type == EntryType::kChunk ? PackKind::kData : PackKind::kMetadata;
}

std::string_view to_text(EntryType type) {
  switch (type) {
    case EntryType::kChunk:
      return "chunk";
    case EntryType::kDirectoryPage:
      return "directory page";
    case EntryType::kLinkPage:
      return "link page";
    case EntryType::kRecipe:
      return "recipe";
    case EntryType::kRecipePage:
      return "recipe page";
    case EntryType::kXattrSet:
      return "xattr set";
    case EntryType::kRoot:
      return "root record";
  }
  return "entry";
}

std::string to_text(const EntryKey& key) {
  return std::string(to_text(key.type)) + ' ' + to_hex(key.id);
}

std::string to_key_bytes(const EntryKey& key) {
  std::string bytes(1, static_cast<char>(key.type));
  return bytes.append(as_text(key.id));
}

std::ostream& operator<<(std::ostream& out, const EntryKey& key) {
  return out << to_text(key);
}

Result<std::vector<PackIndexItem>> read_pack_index(int fd) {
  SATCHEL_ASSIGN(const std::uint64_t size, file_size(fd));
  SATCHEL_ASSIGN(const Footer footer, read_footer(fd, size));
  SATCHEL_ASSIGN(const PackKind kind, read_header(fd));
  SATCHEL_ASSIGN(const auto index,
                 read_exactly(fd, footer.index_offset, footer.entries * kItemBytes));
  if (sha256(index) != footer.index_hash) return corrupted("a pack's index is damaged");
  ByteReader in(index);
  std::vector<PackIndexItem> items;
  items.reserve(footer.entries);
  for (std::size_t i = 0; i < footer.entries; ++i) {
    SATCHEL_ASSIGN(const PackIndexItem item, read_item(in, kind, footer.index_offset));
    if (!items.empty() && item.key <= items.back().key) {
      return contradiction("a pack's index is not in order");
    }
    items.push_back(item);
  }
  return items;
}

Result<std::vector<std::byte>> read_pack_entry(int fd, const PackIndexItem& item) {
  if (item.raw_bytes > kRawBytesMax || item.stored_bytes > item.raw_bytes) {
    return contradiction("a pack entry has an impossible length");
  }
  SATCHEL_ASSIGN(auto stored, read_exactly(fd, item.offset, item.stored_bytes));
  if (item.codec == Codec::kRaw && item.stored_bytes == item.raw_bytes) return stored;
  return decompress(item.codec, stored, item.raw_bytes);
}

Result<void> verify_pack(int fd, const PackId& id) {
  SATCHEL_ASSIGN(const std::uint64_t size, file_size(fd));
  if (size < kHeaderBytes + kFooterBytes) return corrupted("not a pack, or cut short");
  const std::uint64_t hashed_bytes = size - kFooterBytes;
  Sha256 hash;
  std::vector<std::byte> buffer(kVerifyBytes);
  for (std::uint64_t offset = 0; offset < hashed_bytes;) {
    const auto piece =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), hashed_bytes - offset));
    const auto into = std::span(buffer).first(piece);
    SATCHEL_ASSIGN(const std::size_t count, pread_all(fd, into, offset));
    if (count != piece) return corrupted("a pack is cut short");
    hash.update(into);
    offset += piece;
  }
  if (PackId{hash.finish()} != id) return corrupted("a pack does not match its name");
  return {};
}

}  // namespace satchel::store
