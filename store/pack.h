// Packs: immutable files of typed, compressed entries. docs/format.md, section 6.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "store/codec.h"
#include "store/ids.h"

namespace satchel::store {

enum class EntryType : std::uint8_t {
  kChunk = 1,
  kDirectoryPage = 2,
  kLinkPage = 3,
  kRecipe = 4,
  kRecipePage = 5,
  kXattrSet = 6,
  kRoot = 7,
};
enum class PackKind : std::uint8_t { kData = 1, kMetadata = 2 };
PackKind pack_kind_of(EntryType type);
/// "chunk", "directory page" …: for messages.
std::string_view to_text(EntryType type);
inline constexpr std::size_t kRawBytesMax = 4U << 20U;
/// What a reader's memory for one index is bounded by.
inline constexpr std::size_t kPackEntriesMax = 1U << 20U;

/// A pack entry's name: what it is and which.
struct EntryKey {
  EntryType type = EntryType::kChunk;
  std::array<std::byte, 32> id{};
  template <typename Tag>
  static EntryKey of(EntryType type, const Digest<Tag>& id) {
    return {type, id.bytes};
  }
  friend auto operator<=>(const EntryKey&, const EntryKey&) = default;
};
/// "chunk 01ab…"
std::ostream& operator<<(std::ostream& out, const EntryKey& key);
std::string to_text(const EntryKey& key);
/// type ‖ id: as a database's key.
std::string to_key_bytes(const EntryKey& key);

struct PackIndexItem {
  EntryKey key{};
  Codec codec = Codec::kRaw;
  std::uint64_t offset = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  friend bool operator==(const PackIndexItem&, const PackIndexItem&) = default;
};

/// Writes one pack to an open file, in order; remembers what it holds. Not thread-safe, but what
/// was appended may be read back through fd() by any thread.
/// Fault points: pack.write, pack.fsync.
class PackWriter {
 public:
  /// `fd` is an empty file open for reading and writing.
  static Result<PackWriter> start(UniqueFd fd, PackKind kind);
  PackWriter(PackWriter&&) noexcept;
  PackWriter& operator=(PackWriter&&) noexcept;
  ~PackWriter();

  /// `key` must be of the pack's kind and new to it. Errors: ENOSPC (kNoSpace), EIO (kIo).
  Result<PackIndexItem> append(const EntryKey& key, std::uint32_t raw_bytes, const Encoded& stored);
  /// Size of the file so far.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t entries() const;
  [[nodiscard]] int fd() const;
  /// Writes index and footer and fsyncs. The file may then be renamed to its id. Called once, last.
  Result<PackId> finish();
  /// In order of append(); after finish() in order of key, as the index has them.
  [[nodiscard]] const std::vector<PackIndexItem>& items() const;

 private:
  struct State;
  explicit PackWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The index of a pack, checked against its footer. `fd` is borrowed. Takes hostile bytes.
/// Errors: EBADMSG (no pack, cut short, checksum), EUCLEAN (bounds, order), newer format.
Result<std::vector<PackIndexItem>> read_pack_index(int fd);
/// The decompressed bytes of one entry; not yet checked against its id. Errors: EBADMSG, newer
/// format, EIO.
Result<std::vector<std::byte>> read_pack_entry(int fd, const PackIndexItem& item);
/// Hashes the whole pack. Errors: EBADMSG if that is not `id`.
Result<void> verify_pack(int fd, const PackId& id);

}  // namespace satchel::store

template <>
struct std::hash<satchel::store::EntryKey> {
  std::size_t operator()(const satchel::store::EntryKey& key) const noexcept {
    std::size_t value = 0;  // the id is uniformly distributed already
    std::memcpy(&value, key.id.data(), sizeof value);
    return value ^ static_cast<std::size_t>(key.type);
  }
};
