// What a changed inode and a changed name look like in the upper's database. Values and their
// encoding.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/path.h"
#include "store/entry.h"
#include "store/live_upper.h"

namespace satchel::fs {

using store::Generation;
using store::UpperId;

/// The root directory's row.
inline constexpr UpperId kRootUpper = 1;

/// The fields that reading and writing change, without a batch each: memory is ahead of the row.
struct LiveFields {
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;  ///< of 512 bytes
  Timestamp atime, mtime, ctime;
  Generation data_generation = 0;  ///< in which the bytes changed last
  friend bool operator==(const LiveFields&, const LiveFields&) = default;
};

/// One changed inode.
struct InodeRow {
  store::Kind kind = store::Kind::kFile;
  store::FileId file_id;
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp btime;
  store::Xattrs xattrs;
  std::string target;          ///< symlinks
  store::DeviceNumber device;  ///< devices
  std::uint32_t names = 1;     ///< in the whole view
  LiveFields live;
  Generation generation = 0;  ///< in which anything but the bytes changed last
  /// Files: what they hold, if that is a content of the base (or nothing); else they have bytes of
  /// their own in upper/.
  std::optional<store::ContentId> content;
  /// Files with bytes of their own: mtime of the file in upper/ when this row was written. If it
  /// has moved after a crash, `live` is older than the bytes.
  Timestamp bytes_mtime;
  /// Files: their own bytes are, or will be, in scratch: rules discard them.
  bool is_scratch = false;
  /// Directories: where they stand.
  UpperId parent = 0;
  std::string name;
  /// Directories: the base directory that they are merged with.
  std::optional<RelativePath> base_path;
  /// Directories: attributes differ from the base directory's; else they repeat them.
  bool own_attributes = true;
  std::uint64_t subdirectories = 0;

  [[nodiscard]] bool has_own_bytes() const { return kind == store::Kind::kFile && !content; }
  friend bool operator==(const InodeRow&, const InodeRow&) = default;
};

std::string encode_row(const InodeRow& row);
/// Errors: EUCLEAN, newer format.
Result<InodeRow> decode_row(std::string_view value);

/// One changed name of a directory.
struct Dentry {
  UpperId child = 0;  ///< 0: a whiteout, the base's entry of this name is deleted
  store::Kind kind = store::Kind::kWhiteout;
  std::uint64_t ino = 0;
  /// Place among the names that only the upper has; 0 where the base has the name, whose rank
  /// counts then.
  std::uint64_t position = 0;
  Generation generation = 0;  ///< in which the name got this child
  /// See store::UpperNode::Child::origin; mostly null.
  std::shared_ptr<const store::Entry> origin = nullptr;

  [[nodiscard]] bool is_whiteout() const { return child == 0; }
  friend bool operator==(const Dentry&, const Dentry&) = default;  // one and the same origin
};

std::string encode_dentry(const Dentry& dentry);
/// Errors: EUCLEAN.
Result<Dentry> decode_dentry(std::string_view value);

/// Eight bytes that sort as the number does.
std::string encode_key(std::uint64_t number);
std::uint64_t decode_key(std::string_view key);

}  // namespace satchel::fs
