// Refs: numbered, immutable records; the newest number of a name is its head. docs/format.md,
// section 6.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "store/ids.h"

namespace satchel::store {

enum class RefKind : std::uint8_t { kLayer = 1, kImage = 2, kUser = 3 };
using VersionNumber = std::uint64_t;

/// `[a-z0-9][a-z0-9._-]{0,62}`, for layers `kind/name`. Checked when made.
class RefName {
 public:
  /// Errors: EINVAL/kBadName, naming the rule that is broken.
  static Result<RefName> layer(std::string_view text);
  static Result<RefName> image(std::string_view text);
  static Result<RefName> user(std::string_view text);

  [[nodiscard]] RefKind kind() const { return kind_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// Of a layer: boot, os, group, app, sysdata or data.
  [[nodiscard]] std::string layer_kind() const;
  /// Its folder below refs/: "layers/os/debian12", "images/lab", "users/ada".
  [[nodiscard]] std::string folder() const;
  friend auto operator<=>(const RefName&, const RefName&) = default;

 private:
  RefName(RefKind kind, std::string text) : kind_(kind), text_(std::move(text)) {}
  RefKind kind_;
  std::string text_;
};
std::ostream& operator<<(std::ostream& out, const RefName& name);

struct LayerBody {
  std::string layer_kind{};
  RootId root{};
  RootId built_on{};  ///< the tree it is a change of, if known
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const LayerBody&, const LayerBody&) = default;
};

struct ImageLayer {
  std::string name{};
  VersionNumber number = 0;
  RootId root{};
  friend bool operator==(const ImageLayer&, const ImageLayer&) = default;
};
struct ImageBody {
  std::vector<ImageLayer> layers{};  ///< lowest first
  RootId composed{};
  friend bool operator==(const ImageBody&, const ImageBody&) = default;
};

struct MachineLayer {
  std::string machine_id{};
  RootId root{};
  friend bool operator==(const MachineLayer&, const MachineLayer&) = default;
};
/// A workspace version.
struct UserBody {
  std::string image_name{};
  VersionNumber image_number = 0;
  RootId image_root{};
  RootId app{}, sysdata{}, data{};       ///< none if empty
  std::vector<MachineLayer> machines{};  ///< ascending by machine_id
  RulesId rules{};
  RootId composed{};            ///< compose(image, join(app, sysdata, data))
  RootId conflicts{};           ///< tree of losers; none if there are none
  std::vector<PackId> packs{};  ///< packs that this version added
  std::uint64_t bytes_new = 0;  ///< their size
  friend bool operator==(const UserBody&, const UserBody&) = default;
};

struct Extension {
  bool critical = false;
  std::string key{};
  std::string value{};
  friend bool operator==(const Extension&, const Extension&) = default;
};
struct Signature {
  std::string key{}, algorithm{}, bytes{};
  friend bool operator==(const Signature&, const Signature&) = default;
};

using RefBody = std::variant<LayerBody, ImageBody, UserBody>;

/// One record. A value.
struct RefRecord {
  RepositoryId repository{};
  std::string name;  ///< RefName::text()
  VersionNumber number = 0;
  RecordHash parent{};  ///< of number − 1; none for the first
  std::array<std::byte, 16> nonce{};
  Timestamp time{};
  std::string device{};
  std::string message{};
  RefBody body{};
  std::vector<Extension> extensions{};
  std::vector<Signature> signatures{};
  [[nodiscard]] RefKind kind() const;
  friend bool operator==(const RefRecord&, const RefRecord&) = default;
};

/// Bounds of what decode_record() takes; encode_record() asserts the lengths of texts.
inline constexpr std::size_t kRecordNameBytesMax = 128;
inline constexpr std::size_t kRecordDeviceBytesMax = 255;
inline constexpr std::size_t kRecordMessageBytesMax = 4096;
inline constexpr std::size_t kRecordBodyBytesMax = 64U << 20U;
inline constexpr std::size_t kRecordBytesMax = kRecordBodyBytesMax + (8U << 20U);

std::vector<std::byte> encode_record(const RefRecord& record);
/// Takes any bytes. Errors: EBADMSG (not a record, cut short, checksum), EUCLEAN, newer format
/// (also an unknown critical extension).
Result<RefRecord> decode_record(Bytes bytes);
/// The hash by which the next record names this one.
RecordHash record_hash(Bytes encoded);

}  // namespace satchel::store
