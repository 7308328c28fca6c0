#include "store/entry.h"

#include <sys/stat.h>

#include <limits>
#include <ostream>

#include "store/attributes_encoding.h"
#include "store/format_error.h"

namespace satchel::store {
namespace {

constexpr std::size_t kTargetBytesMax = 4095;
constexpr std::uint64_t kDeviceNumberMax = std::numeric_limits<std::uint32_t>::max();

constexpr std::uint64_t kDirectoryFlags =
    kFlagFileId | kFlagXattrs | kFlagXattrObject | kFlagOpaque | kFlagInherit | kFlagMarkedBelow;
constexpr std::uint64_t kOtherFlags = kFlagFileId | kFlagLinked | kFlagXattrs | kFlagXattrObject;

std::uint64_t flags_of_entry(const Entry& entry) {
  if (entry.is_whiteout()) return 0;
  std::uint64_t flags = flags_of(entry.attributes.xattrs);
  if (entry.file_id) flags |= kFlagFileId;
  if (entry.linked) flags |= kFlagLinked;
  if (entry.is_directory()) flags |= flags_of(entry.mark, entry.directory);
  return flags;
}

Result<Kind> decode_kind(ByteReader& in) {
  SATCHEL_ASSIGN(const std::uint8_t number, in.get_u8());
  if (number < static_cast<std::uint8_t>(Kind::kFile) ||
      number > static_cast<std::uint8_t>(Kind::kWhiteout)) {
    return newer_format("kind of entry " + std::to_string(number));
  }
  return static_cast<Kind>(number);
}

Result<std::uint64_t> decode_flags(ByteReader& in, Kind kind) {
  SATCHEL_ASSIGN(const std::uint64_t flags, in.get_varint());
  if ((flags & ~(kDirectoryFlags | kOtherFlags)) != 0) {
    return newer_format("flags of an entry " + std::to_string(flags));
  }
  std::uint64_t allowed = kOtherFlags;
  if (kind == Kind::kDirectory) allowed = kDirectoryFlags;
  if (kind == Kind::kWhiteout) allowed = 0;
  if ((flags & ~allowed) != 0)
    return contradiction("an entry has a flag that its kind cannot have");
  return flags;
}

void encode_body(const Entry& entry, ByteWriter& out) {
  switch (entry.kind) {
    case Kind::kFile:
      out.put_varint(entry.content.size);
      if (!entry.content.is_empty()) out.put_raw(entry.content.digest.bytes);
      return;
    case Kind::kDirectory:
      out.put_raw(entry.directory.page.bytes).put_varint(entry.directory.subdirectories);
      return;
    case Kind::kSymlink:
      out.put_text(entry.target);
      return;
    case Kind::kCharDevice:
    case Kind::kBlockDevice:
      out.put_varint(entry.device.major).put_varint(entry.device.minor);
      return;
    case Kind::kFifo:
    case Kind::kSocket:
    case Kind::kWhiteout:
      return;
  }
}

Result<void> decode_body(ByteReader& in, Entry& entry) {
  switch (entry.kind) {
    case Kind::kFile: {
      SATCHEL_ASSIGN(entry.content.size, in.get_varint());
      if (entry.content.is_empty()) return {};
      SATCHEL_ASSIGN(entry.content.digest, in.get_digest<ContentDigest>());
      return {};
    }
    case Kind::kDirectory: {
      SATCHEL_ASSIGN(entry.directory.page, in.get_digest<PageId>());
      SATCHEL_ASSIGN(entry.directory.subdirectories, in.get_varint());
      return {};
    }
    case Kind::kSymlink: {
      SATCHEL_ASSIGN(entry.target, in.get_text(kTargetBytesMax));
      if (entry.target.empty()) return contradiction("a symlink without a target");
      return {};
    }
    case Kind::kCharDevice:
    case Kind::kBlockDevice: {
      SATCHEL_ASSIGN(const std::uint64_t major, in.get_varint_up_to(kDeviceNumberMax));
      SATCHEL_ASSIGN(const std::uint64_t minor, in.get_varint_up_to(kDeviceNumberMax));
      entry.device = {static_cast<std::uint32_t>(major), static_cast<std::uint32_t>(minor)};
      return {};
    }
    case Kind::kFifo:
    case Kind::kSocket:
    case Kind::kWhiteout:
      return {};
  }
  return {};
}

}  // namespace

mode_t type_bits(Kind kind) {
  switch (kind) {
    case Kind::kFile:
      return S_IFREG;
    case Kind::kDirectory:
      return S_IFDIR;
    case Kind::kSymlink:
      return S_IFLNK;
    case Kind::kCharDevice:
      return S_IFCHR;
    case Kind::kBlockDevice:
      return S_IFBLK;
    case Kind::kFifo:
      return S_IFIFO;
    case Kind::kSocket:
      return S_IFSOCK;
    case Kind::kWhiteout:
      break;
  }
  return 0;
}

std::optional<Kind> kind_of_mode(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return Kind::kFile;
    case S_IFDIR:
      return Kind::kDirectory;
    case S_IFLNK:
      return Kind::kSymlink;
    case S_IFCHR:
      return Kind::kCharDevice;
    case S_IFBLK:
      return Kind::kBlockDevice;
    case S_IFIFO:
      return Kind::kFifo;
    case S_IFSOCK:
      return Kind::kSocket;
    default:
      return std::nullopt;
  }
}

void Entry::normalize_file_id(const FileId& parent) {
  if (!linked && file_id && *file_id == default_file_id(parent, name)) file_id.reset();
}

Entry Entry::whiteout(const Name& name) {
  Entry entry;
  entry.name = name;
  entry.kind = Kind::kWhiteout;
  return entry;
}

void encode_entry(const Entry& entry, ByteWriter& out) {
  out.put_text(entry.name.text());
  out.put_u8(static_cast<std::uint8_t>(entry.kind));
  out.put_varint(flags_of_entry(entry));
  if (entry.is_whiteout()) return;
  encode_ownership(entry.attributes, out);
  if (entry.file_id) out.put_raw(entry.file_id->bytes);
  encode_xattrs_ref(entry.attributes.xattrs, out);
  encode_body(entry, out);
}

Result<Entry> decode_entry(ByteReader& in) {
  SATCHEL_ASSIGN(const std::string_view text, in.get_text(Name::kBytesMax));
  Result<Name> name = Name::parse(text);
  if (!name) return contradiction("an entry's name cannot be a file name");
  Entry entry;
  entry.name = *std::move(name);
  SATCHEL_ASSIGN(entry.kind, decode_kind(in));
  SATCHEL_ASSIGN(const std::uint64_t flags, decode_flags(in, entry.kind));
  if (entry.is_whiteout()) return entry;

  SATCHEL_TRY(decode_ownership(in, entry.attributes));
  if ((flags & kFlagFileId) != 0) {
    SATCHEL_ASSIGN(const auto bytes, in.get_array<sizeof(FileId)>());
    entry.file_id = FileId{bytes};
  }
  entry.linked = (flags & kFlagLinked) != 0;
  if (entry.linked && !entry.file_id) return contradiction("a linked name without a file id");
  SATCHEL_ASSIGN(entry.attributes.xattrs, decode_xattrs_ref(in, flags));
  SATCHEL_ASSIGN(entry.mark, mark_of(flags));
  entry.directory.marked_below = (flags & kFlagMarkedBelow) != 0;
  SATCHEL_TRY(decode_body(in, entry));
  return entry;
}

std::ostream& operator<<(std::ostream& out, const Entry& entry) {
  static constexpr std::string_view kKinds = "?-dlcbpsw";
  out << kKinds[static_cast<std::size_t>(entry.kind)] << ' ' << entry.name;
  if (entry.is_whiteout()) return out;
  const Attributes& attributes = entry.attributes;
  out << " mode=" << std::oct << attributes.mode << std::dec << " owner=" << attributes.uid << ':'
      << attributes.gid << " mtime=" << attributes.mtime.seconds << '.'
      << attributes.mtime.nanoseconds;
  if (!attributes.xattrs.object.is_none()) out << " xattrs=" << attributes.xattrs.object;
  if (!attributes.xattrs.inline_set.empty()) {
    out << " xattrs=" << escape_for_display(attributes.xattrs.inline_set);
  }
  if (entry.file_id) out << " id=" << *entry.file_id;
  if (entry.linked) out << " linked";
  if (entry.kind == Kind::kFile) out << " content=" << entry.content;
  if (entry.kind == Kind::kSymlink) out << " target=" << escape_for_display(entry.target);
  if (entry.kind == Kind::kCharDevice || entry.kind == Kind::kBlockDevice) {
    out << " device=" << entry.device.major << ':' << entry.device.minor;
  }
  if (entry.mark == DirectoryMark::kOpaque) out << " opaque";
  if (entry.mark == DirectoryMark::kInherit) out << " inherit";
  if (entry.is_directory()) {
    out << " page=" << entry.directory.page << " subdirectories=" << entry.directory.subdirectories;
    if (entry.directory.marked_below) out << " marked_below";
  }
  return out;
}

}  // namespace satchel::store
