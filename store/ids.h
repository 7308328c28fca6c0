// The names of stored things, one type for each. What each is the hash of: docs/format.md,
// section 1.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

#include "base/digest.h"
#include "base/path.h"

namespace satchel::store {

using ChunkId = Digest<struct ChunkTag>;
using PageId = Digest<struct PageTag>;  ///< a directory, link or recipe page
using XattrSetId = Digest<struct XattrSetTag>;
using RootId = Digest<struct RootTag>;  ///< a root record: names a whole tree or layer
using PackId = Digest<struct PackTag>;
using ContentDigest = Digest<struct ContentTag>;
using RecordHash = Digest<struct RecordTag>;  ///< SHA-256 of a ref record
using RulesId = Digest<struct RulesTag>;

/// What a file's bytes are. The empty content has size 0 and no digest.
struct ContentId {
  ContentDigest digest;
  std::uint64_t size = 0;
  [[nodiscard]] bool is_empty() const { return size == 0; }
  friend auto operator<=>(const ContentId&, const ContentId&) = default;
};
std::ostream& operator<<(std::ostream& out, const ContentId& id);

/// Which file this is, through renames and edits. See docs/format.md, section 3.
struct FileId {
  std::array<std::byte, 16> bytes{};
  friend auto operator<=>(const FileId&, const FileId&) = default;
};
std::ostream& operator<<(std::ostream& out, const FileId& id);

/// The root directory's.
FileId root_file_id();
/// What a file that carries no id of its own is called: a hash of where it stands.
FileId default_file_id(const FileId& parent, const Name& name);
/// `st_ino`: the first 8 bytes, little-endian; never 0.
std::uint64_t inode_number(const FileId& id);

/// Names a repository; 16 random bytes.
struct RepositoryId {
  std::array<std::byte, 16> bytes{};
  [[nodiscard]] std::string hex() const { return to_hex(bytes); }
  friend auto operator<=>(const RepositoryId&, const RepositoryId&) = default;
};

}  // namespace satchel::store

template <>
struct std::hash<satchel::store::ContentId> {
  std::size_t operator()(const satchel::store::ContentId& id) const noexcept {
    return std::hash<satchel::store::ContentDigest>{}(id.digest) ^ id.size;
  }
};
template <>
struct std::hash<satchel::store::FileId> {
  std::size_t operator()(const satchel::store::FileId& id) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
};
