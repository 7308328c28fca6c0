#include "fs/upper_rows.h"

#include "base/encoding.h"

namespace satchel::fs {
namespace {

constexpr std::uint8_t kRowVersion = 0;
constexpr std::size_t kPathBytesMax = 65535;
constexpr std::size_t kTargetBytesMax = 4095;
constexpr std::size_t kUsualRowBytes = 256;

enum RowFlag : std::uint8_t {
  kHasContent = 1,
  kHasBasePath = 2,
  kOwnAttributes = 4,
  kScratch = 16,
};

Error contradiction(std::string message) {
  return {.code = EUCLEAN,
          .sat = Sat::kContradiction,
          .message = std::move(message),
          .hint = "the store's upper is damaged; save it before anything else"};
}

void put_time(ByteWriter& out, const Timestamp& time) {
  out.put_signed_varint(time.seconds).put_varint(time.nanoseconds);
}

Result<Timestamp> get_time(ByteReader& in) {
  Timestamp time;
  SATCHEL_ASSIGN(time.seconds, in.get_signed_varint());
  SATCHEL_ASSIGN(const auto nanoseconds, in.get_varint_up_to(999'999'999));
  time.nanoseconds = static_cast<std::uint32_t>(nanoseconds);
  return time;
}

Result<std::uint32_t> get_u32_varint(ByteReader& in) {
  SATCHEL_ASSIGN(const auto value, in.get_varint_up_to(UINT32_MAX));
  return static_cast<std::uint32_t>(value);
}

Result<store::Kind> get_kind(ByteReader& in) {
  SATCHEL_ASSIGN(const auto kind, in.get_u8());
  if (kind < static_cast<std::uint8_t>(store::Kind::kFile) ||
      kind > static_cast<std::uint8_t>(store::Kind::kWhiteout)) {
    return contradiction("a row of the upper has an unknown kind");
  }
  return static_cast<store::Kind>(kind);
}

void put_live(ByteWriter& out, const LiveFields& live) {
  out.put_varint(live.size).put_varint(live.blocks);
  put_time(out, live.atime);
  put_time(out, live.mtime);
  put_time(out, live.ctime);
  out.put_varint(live.data_generation);
}

Result<LiveFields> get_live(ByteReader& in) {
  LiveFields live;
  SATCHEL_ASSIGN(live.size, in.get_varint());
  SATCHEL_ASSIGN(live.blocks, in.get_varint());
  SATCHEL_ASSIGN(live.atime, get_time(in));
  SATCHEL_ASSIGN(live.mtime, get_time(in));
  SATCHEL_ASSIGN(live.ctime, get_time(in));
  SATCHEL_ASSIGN(live.data_generation, in.get_varint());
  return live;
}

Result<store::Xattrs> get_xattrs(ByteReader& in) {
  SATCHEL_ASSIGN(const auto set, in.get_bytes(store::XattrsRef::kObjectBytesMax));
  if (set.empty()) return store::Xattrs{};
  return store::decode_xattrs(set);
}

Result<RelativePath> get_path(ByteReader& in) {
  SATCHEL_ASSIGN(const auto text, in.get_text(kPathBytesMax));
  return RelativePath::parse(text);
}

/// The fields that only some rows have.
Result<void> get_optional_fields(ByteReader& in, std::uint8_t flags, InodeRow& row) {
  if ((flags & kHasContent) != 0) {
    store::ContentId id;
    SATCHEL_ASSIGN(id.size, in.get_varint());
    SATCHEL_ASSIGN(id.digest, in.get_digest<store::ContentDigest>());
    row.content = id;
  }
  if ((flags & kHasBasePath) != 0) {
    SATCHEL_ASSIGN(row.base_path, get_path(in));
  }
  return {};
}

}  // namespace

std::string encode_row(const InodeRow& row) {
  ByteWriter out;
  out.reserve(kUsualRowBytes);
  out.put_u8(kRowVersion).put_u8(static_cast<std::uint8_t>(row.kind));
  out.put_u8(static_cast<std::uint8_t>(
      (row.content ? kHasContent : 0) | (row.base_path ? kHasBasePath : 0) |
      (row.own_attributes ? kOwnAttributes : 0) | (row.is_scratch ? kScratch : 0)));
  out.put_raw(row.file_id.bytes).put_varint(row.mode).put_varint(row.uid).put_varint(row.gid);
  put_time(out, row.btime);
  out.put_text(store::encode_xattrs(row.xattrs)).put_text(row.target);
  out.put_varint(row.device.major).put_varint(row.device.minor).put_varint(row.names);
  put_live(out, row.live);
  out.put_varint(row.generation);
  put_time(out, row.bytes_mtime);
  out.put_varint(row.subdirectories).put_varint(row.parent).put_text(row.name);
  if (row.content) out.put_varint(row.content->size).put_raw(row.content->digest.bytes);
  if (row.base_path) out.put_text(row.base_path->text());
  return std::string(as_text(out.written()));
}

Result<InodeRow> decode_row(std::string_view value) {
  ByteReader in(as_bytes(value));
  InodeRow row;
  SATCHEL_ASSIGN(const auto version, in.get_u8());
  if (version != kRowVersion) {
    return Error{.code = ENOTSUP,
                 .sat = Sat::kNewerFormat,
                 .message = "the store's upper was written by a newer version",
                 .hint = "use that version"};
  }
  SATCHEL_ASSIGN(row.kind, get_kind(in));
  SATCHEL_ASSIGN(const auto flags, in.get_u8());
  row.own_attributes = (flags & kOwnAttributes) != 0;
  row.is_scratch = (flags & kScratch) != 0;
  SATCHEL_ASSIGN(row.file_id.bytes, in.get_array<16>());
  SATCHEL_ASSIGN(const auto mode, in.get_varint_up_to(07777));
  row.mode = static_cast<std::uint16_t>(mode);
  SATCHEL_ASSIGN(row.uid, get_u32_varint(in));
  SATCHEL_ASSIGN(row.gid, get_u32_varint(in));
  SATCHEL_ASSIGN(row.btime, get_time(in));
  SATCHEL_ASSIGN(row.xattrs, get_xattrs(in));
  SATCHEL_ASSIGN(const auto target, in.get_text(kTargetBytesMax));
  row.target = target;
  SATCHEL_ASSIGN(row.device.major, get_u32_varint(in));
  SATCHEL_ASSIGN(row.device.minor, get_u32_varint(in));
  SATCHEL_ASSIGN(row.names, get_u32_varint(in));
  SATCHEL_ASSIGN(row.live, get_live(in));
  SATCHEL_ASSIGN(row.generation, in.get_varint());
  SATCHEL_ASSIGN(row.bytes_mtime, get_time(in));
  SATCHEL_ASSIGN(row.subdirectories, in.get_varint());
  SATCHEL_ASSIGN(row.parent, in.get_varint());
  SATCHEL_ASSIGN(const auto name, in.get_text(Name::kBytesMax));
  row.name = name;
  SATCHEL_TRY(get_optional_fields(in, flags, row));
  SATCHEL_TRY(in.expect_end());
  return row;
}

std::string encode_dentry(const Dentry& dentry) {
  ByteWriter out;
  out.put_u8(static_cast<std::uint8_t>(dentry.kind));
  out.put_varint(dentry.child).put_varint(dentry.position).put_varint(dentry.generation);
  out.put_u64(dentry.ino);
  if (dentry.origin) store::encode_entry(*dentry.origin, out);
  return std::string(as_text(out.written()));
}

Result<Dentry> decode_dentry(std::string_view value) {
  ByteReader in(as_bytes(value));
  Dentry dentry;
  SATCHEL_ASSIGN(dentry.kind, get_kind(in));
  SATCHEL_ASSIGN(dentry.child, in.get_varint());
  SATCHEL_ASSIGN(dentry.position, in.get_varint());
  SATCHEL_ASSIGN(dentry.generation, in.get_varint());
  SATCHEL_ASSIGN(dentry.ino, in.get_u64());
  if (in.remaining() > 0) {
    SATCHEL_ASSIGN(auto origin, store::decode_entry(in));
    dentry.origin = std::make_shared<const store::Entry>(std::move(origin));
  }
  SATCHEL_TRY(in.expect_end());
  if (dentry.is_whiteout() != (dentry.kind == store::Kind::kWhiteout)) {
    return contradiction("a name of the upper is half a whiteout");
  }
  return dentry;
}

std::string encode_key(std::uint64_t number) {
  std::string key(8, '\0');
  for (std::size_t i = 8; i-- > 0; number >>= 8U) key[i] = static_cast<char>(number & 0xFFU);
  return key;
}

std::uint64_t decode_key(std::string_view key) {
  SATCHEL_ASSERT(key.size() >= 8);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8U | static_cast<unsigned char>(key[i]);
  return number;
}

}  // namespace satchel::fs
