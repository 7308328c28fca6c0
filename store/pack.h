// Packs: immutable files of typed, compressed entries. docs/format.md, section 6.
#pragma once

#include <array>
#include <cstdint>
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
inline constexpr std::size_t kRawBytesMax = 4U << 20U;

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

struct PackIndexItem {
  EntryKey key;
  Codec codec = Codec::kRaw;
  std::uint64_t offset = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  friend bool operator==(const PackIndexItem&, const PackIndexItem&) = default;
};

/// Writes one pack to an open file, in order; remembers what it holds. Not thread-safe.
class PackWriter {
 public:
  /// `fd` is an empty file open for writing, owned by the writer.
  static Result<PackWriter> start(UniqueFd fd, PackKind kind);
  Result<void> append(const EntryKey& key, std::uint32_t raw_bytes, const Encoded& stored);
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] const std::vector<PackIndexItem>& items() const { return items_; }
  /// Writes index and footer and fsyncs. The file may then be renamed to its id.
  Result<PackId> finish();
  PackWriter(PackWriter&&) noexcept;
  ~PackWriter();

 private:
  struct State;
  explicit PackWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  std::vector<PackIndexItem> items_;
};

/// The index of a pack, checked against its footer. `fd` is borrowed. Takes hostile bytes.
/// Errors: EBADMSG (checksum), EUCLEAN (bounds, order), newer format.
Result<std::vector<PackIndexItem>> read_pack_index(int fd);
/// The decompressed bytes of one entry; not yet checked against its id.
Result<std::vector<std::byte>> read_pack_entry(int fd, const PackIndexItem& item);
/// Hashes the whole pack. Errors: EBADMSG if that is not `id`.
Result<void> verify_pack(int fd, const PackId& id);

}  // namespace satchel::store
