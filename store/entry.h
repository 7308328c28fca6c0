// One name in a directory of a tree or layer, and its encoding. docs/format.md, section 3.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/path.h"
#include "store/ids.h"

namespace satchel::store {

enum class Kind : std::uint8_t {
  kFile = 1,
  kDirectory = 2,
  kSymlink = 3,
  kCharDevice = 4,
  kBlockDevice = 5,
  kFifo = 6,
  kSocket = 7,
  kWhiteout = 8,
};

/// The S_IFMT bits of `kind`; 0 for a whiteout, which no file is.
mode_t type_bits(Kind kind);
/// Of the S_IFMT bits in `mode`; nothing where they name no type.
std::optional<Kind> kind_of_mode(mode_t mode);

/// Extended attributes by name, with the kernel's names and bytes ("user.x",
/// "system.posix_acl_access").
using Xattrs = std::map<std::string, std::string>;

/// Where an entry's xattrs are: in the entry (encoded set, up to kInlineBytesMax), or in an object.
struct XattrsRef {
  static constexpr std::size_t kInlineBytesMax = 256;
  static constexpr std::size_t kObjectBytesMax = 1U << 20U;
  std::string inline_set;
  XattrSetId object;
  [[nodiscard]] bool is_empty() const { return inline_set.empty() && object.is_none(); }
  friend bool operator==(const XattrsRef&, const XattrsRef&) = default;
};

/// `xattrs` as a canonical set; empty text for no xattrs.
std::string encode_xattrs(const Xattrs& xattrs);
/// Errors: EUCLEAN, newer format.
Result<Xattrs> decode_xattrs(Bytes set);

struct Attributes {
  std::uint16_t mode = 0755;  ///< permission bits, suid, sgid, sticky: 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp mtime;
  XattrsRef xattrs;
  friend bool operator==(const Attributes&, const Attributes&) = default;
};

struct DeviceNumber {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  friend bool operator==(const DeviceNumber&, const DeviceNumber&) = default;
};

/// What a directory's pages hold, beside the top page's id itself.
struct DirectoryRef {
  PageId page;                       ///< top page
  std::uint64_t subdirectories = 0;  ///< entries that are directories
  bool marked_below = false;         ///< a mark stands somewhere in it
  friend bool operator==(const DirectoryRef&, const DirectoryRef&) = default;
};

enum class DirectoryMark : std::uint8_t { kNone, kOpaque, kInherit };

/// A value. Fields that the kind does not have keep their defaults, so equal entries compare equal.
struct Entry {
  Name name = Name::checked("?");
  Kind kind = Kind::kFile;
  Attributes attributes;
  std::optional<FileId> file_id;  ///< absent: the default id; linked names always carry theirs
  bool linked = false;
  ContentId content;                          ///< files
  std::string target;                         ///< symlinks
  DeviceNumber device;                        ///< devices
  DirectoryRef directory;                     ///< directories
  DirectoryMark mark = DirectoryMark::kNone;  ///< directories

  [[nodiscard]] bool is_directory() const { return kind == Kind::kDirectory; }
  [[nodiscard]] bool is_whiteout() const { return kind == Kind::kWhiteout; }
  /// The entry itself, or something in it, is a mark.
  [[nodiscard]] bool is_marked() const {
    return is_whiteout() ||
           (is_directory() && (mark != DirectoryMark::kNone || directory.marked_below));
  }
  [[nodiscard]] FileId effective_file_id(const FileId& parent) const {
    return file_id ? *file_id : default_file_id(parent, name);
  }
  /// Drops a file id that equals the default one below `parent`, unless the entry is linked: the
  /// canonical form.
  void normalize_file_id(const FileId& parent);

  static Entry whiteout(const Name& name);
  friend bool operator==(const Entry&, const Entry&) = default;
};
std::ostream& operator<<(std::ostream& out, const Entry& entry);

void encode_entry(const Entry& entry, ByteWriter& out);
/// Takes any bytes. Errors: EUCLEAN, newer format.
Result<Entry> decode_entry(ByteReader& in);

}  // namespace satchel::store
