#include <algorithm>

#include "base/encoding.h"
#include "base/sha256.h"
#include "store/format_error.h"
#include "store/refs.h"

namespace satchel::store {
namespace {

constexpr std::string_view kMagic = "SATREF00";
constexpr std::size_t kMagicFamilyBytes = 6;  // what all versions of the format share
constexpr std::size_t kLayerKindBytesMax = 8;
constexpr std::size_t kImageNameBytesMax = 64;
constexpr std::size_t kMachineIdBytesMax = 64;
constexpr std::size_t kImageLayersMax = 256;
constexpr std::size_t kMachinesMax = 4096;
constexpr std::size_t kPacksMax = 1U << 20U;
constexpr std::size_t kExtensionsMax = 64;
constexpr std::size_t kExtensionKeyBytesMax = 64;
constexpr std::size_t kExtensionValueBytesMax = 65536;
constexpr std::size_t kSignaturesMax = 64;
constexpr std::size_t kSignatureKeyBytesMax = 64;
constexpr std::size_t kSignatureAlgorithmBytesMax = 32;
constexpr std::size_t kSignatureBytesMax = 1024;
constexpr std::uint32_t kNanosecondsMax = 999'999'999;
constexpr RootId kNoSystemRecords{};

void put_text(ByteWriter& out, std::string_view text, std::size_t bytes_max) {
  SATCHEL_ASSERT(text.size() <= bytes_max);
  out.put_text(text);
}

Result<std::string> get_text(ByteReader& in, std::size_t bytes_max) {
  SATCHEL_ASSIGN(const std::string_view text, in.get_text(bytes_max));
  return std::string(text);
}

// One pair of functions for each kind of body.

void encode_body(const LayerBody& body, ByteWriter& out) {
  put_text(out, body.layer_kind, kLayerKindBytesMax);
  out.put_raw(body.root.bytes).put_raw(body.built_on.bytes);
  out.put_varint(body.files).put_varint(body.bytes);
}

Result<LayerBody> decode_layer(ByteReader& in) {
  LayerBody body;
  SATCHEL_ASSIGN(body.layer_kind, get_text(in, kLayerKindBytesMax));
  SATCHEL_ASSIGN(body.root, in.get_digest<RootId>());
  SATCHEL_ASSIGN(body.built_on, in.get_digest<RootId>());
  SATCHEL_ASSIGN(body.files, in.get_varint());
  SATCHEL_ASSIGN(body.bytes, in.get_varint());
  return body;
}

void encode_body(const ImageBody& body, ByteWriter& out) {
  SATCHEL_ASSERT(body.layers.size() <= kImageLayersMax);
  out.put_varint(body.layers.size());
  for (const ImageLayer& layer : body.layers) {
    put_text(out, layer.name, kRecordNameBytesMax);
    out.put_varint(layer.number).put_raw(layer.root.bytes);
  }
  out.put_raw(body.composed.bytes).put_raw(kNoSystemRecords.bytes);
}

Result<ImageBody> decode_image(ByteReader& in) {
  ImageBody body;
  SATCHEL_ASSIGN(const std::size_t layers, in.get_count(2 + RootId::kBytes, kImageLayersMax));
  body.layers.resize(layers);
  for (ImageLayer& layer : body.layers) {
    SATCHEL_ASSIGN(layer.name, get_text(in, kRecordNameBytesMax));
    SATCHEL_ASSIGN(layer.number, in.get_varint());
    SATCHEL_ASSIGN(layer.root, in.get_digest<RootId>());
  }
  SATCHEL_ASSIGN(body.composed, in.get_digest<RootId>());
  SATCHEL_ASSIGN(const RootId system_records, in.get_digest<RootId>());
  if (system_records != kNoSystemRecords) return newer_format("system records of an image");
  return body;
}

void encode_body(const UserBody& body, ByteWriter& out) {
  SATCHEL_ASSERT(body.machines.size() <= kMachinesMax && body.packs.size() <= kPacksMax);
  put_text(out, body.image_name, kImageNameBytesMax);
  out.put_varint(body.image_number).put_raw(body.image_root.bytes);
  out.put_raw(body.app.bytes).put_raw(body.sysdata.bytes).put_raw(body.data.bytes);
  out.put_varint(body.machines.size());
  for (const MachineLayer& machine : body.machines) {
    put_text(out, machine.machine_id, kMachineIdBytesMax);
    out.put_raw(machine.root.bytes);
  }
  out.put_raw(body.rules.bytes).put_raw(body.composed.bytes).put_raw(body.conflicts.bytes);
  out.put_varint(body.packs.size());
  for (const PackId& pack : body.packs) out.put_raw(pack.bytes);
  out.put_varint(body.bytes_new);
}

Result<UserBody> decode_user(ByteReader& in) {
  UserBody body;
  SATCHEL_ASSIGN(body.image_name, get_text(in, kImageNameBytesMax));
  SATCHEL_ASSIGN(body.image_number, in.get_varint());
  SATCHEL_ASSIGN(body.image_root, in.get_digest<RootId>());
  SATCHEL_ASSIGN(body.app, in.get_digest<RootId>());
  SATCHEL_ASSIGN(body.sysdata, in.get_digest<RootId>());
  SATCHEL_ASSIGN(body.data, in.get_digest<RootId>());
  SATCHEL_ASSIGN(const std::size_t machines, in.get_count(1 + RootId::kBytes, kMachinesMax));
  body.machines.resize(machines);
  for (MachineLayer& machine : body.machines) {
    SATCHEL_ASSIGN(machine.machine_id, get_text(in, kMachineIdBytesMax));
    SATCHEL_ASSIGN(machine.root, in.get_digest<RootId>());
  }
  const auto is_unordered = [](const MachineLayer& left, const MachineLayer& right) {
    return left.machine_id >= right.machine_id;
  };
  if (std::ranges::adjacent_find(body.machines, is_unordered) != body.machines.end()) {
    return contradiction("the machines of a version are not in order");
  }
  SATCHEL_ASSIGN(body.rules, in.get_digest<RulesId>());
  SATCHEL_ASSIGN(body.composed, in.get_digest<RootId>());
  SATCHEL_ASSIGN(body.conflicts, in.get_digest<RootId>());
  SATCHEL_ASSIGN(const std::size_t packs, in.get_count(PackId::kBytes, kPacksMax));
  body.packs.resize(packs);
  for (PackId& pack : body.packs) {
    SATCHEL_ASSIGN(pack, in.get_digest<PackId>());
  }
  SATCHEL_ASSIGN(body.bytes_new, in.get_varint());
  return body;
}

template <typename Body>
Result<RefBody> as_whole(ByteReader& in, Result<Body> body) {
  SATCHEL_TRY(body);
  SATCHEL_TRY(in.expect_end());
  return RefBody(*std::move(body));
}

Result<RefBody> decode_body(RefKind kind, Bytes bytes) {
  ByteReader in(bytes);
  switch (kind) {
    case RefKind::kLayer:
      return as_whole(in, decode_layer(in));
    case RefKind::kImage:
      return as_whole(in, decode_image(in));
    case RefKind::kUser:
      return as_whole(in, decode_user(in));
  }
  return newer_format("kind of record");
}

Result<Timestamp> decode_time(ByteReader& in) {
  Timestamp time;
  SATCHEL_ASSIGN(time.seconds, in.get_signed_varint());
  SATCHEL_ASSIGN(const std::uint64_t nanoseconds, in.get_varint_up_to(kNanosecondsMax));
  time.nanoseconds = static_cast<std::uint32_t>(nanoseconds);
  return time;
}

Result<std::vector<Extension>> decode_extensions(ByteReader& in) {
  SATCHEL_ASSIGN(const std::size_t count, in.get_count(3, kExtensionsMax));
  std::vector<Extension> extensions(count);
  for (Extension& extension : extensions) {
    SATCHEL_ASSIGN(const std::uint8_t critical, in.get_u8());
    if (critical > 1) return contradiction("an extension's critical mark is neither 0 nor 1");
    extension.critical = critical == 1;
    SATCHEL_ASSIGN(extension.key, get_text(in, kExtensionKeyBytesMax));
    SATCHEL_ASSIGN(extension.value, get_text(in, kExtensionValueBytesMax));
    // This version knows none, so every critical one is unknown.
    if (extension.critical) {
      return newer_format("critical extension '" + escape_for_display(extension.key) + "'");
    }
  }
  return extensions;
}

Result<std::vector<Signature>> decode_signatures(ByteReader& in) {
  SATCHEL_ASSIGN(const std::size_t count, in.get_count(3, kSignaturesMax));
  std::vector<Signature> signatures(count);
  for (Signature& signature : signatures) {
    SATCHEL_ASSIGN(signature.key, get_text(in, kSignatureKeyBytesMax));
    SATCHEL_ASSIGN(signature.algorithm, get_text(in, kSignatureAlgorithmBytesMax));
    SATCHEL_ASSIGN(signature.bytes, get_text(in, kSignatureBytesMax));
  }
  return signatures;
}

/// What the fields must agree on; a body of another kind than the name's never gets here.
Result<void> check_record(const RefRecord& record) {
  const auto name = [&] {
    switch (record.kind()) {
      case RefKind::kLayer:
        return RefName::layer(record.name);
      case RefKind::kImage:
        return RefName::image(record.name);
      case RefKind::kUser:
        break;
    }
    return RefName::user(record.name);
  }();
  if (!name) return contradiction("a record's name is none");
  if (record.number == 0) return contradiction("a record has number 0");
  if (record.parent.is_none() != (record.number == 1)) {
    return contradiction("only the first record of a name has no parent");
  }
  const auto* const layer = std::get_if<LayerBody>(&record.body);
  if (layer != nullptr && layer->layer_kind != name->layer_kind()) {
    return contradiction("a layer's kind is not that of its name");
  }
  return {};
}

/// The bytes between magic and checksum, once both are right.
Result<Bytes> open_envelope(Bytes bytes) {
  const std::string_view family = kMagic.substr(0, kMagicFamilyBytes);
  if (!as_text(bytes).starts_with(family)) return corrupted("not a record, or cut short");
  if (!as_text(bytes).starts_with(kMagic)) return newer_format("version of a record");
  if (bytes.size() < kMagic.size() + RecordHash::kBytes) return corrupted("a record is cut short");
  const Bytes covered = bytes.first(bytes.size() - RecordHash::kBytes);
  if (!std::ranges::equal(sha256(covered), bytes.last(RecordHash::kBytes))) {
    return corrupted("a record's checksum is wrong");
  }
  return covered.subspan(kMagic.size());
}

}  // namespace

std::vector<std::byte> encode_record(const RefRecord& record) {
  SATCHEL_ASSERT(record.extensions.size() <= kExtensionsMax);
  SATCHEL_ASSERT(record.signatures.size() <= kSignaturesMax);
  ByteWriter body;
  std::visit([&](const auto& value) { encode_body(value, body); }, record.body);

  ByteWriter out;
  out.put_raw(as_bytes(kMagic)).put_u8(static_cast<std::uint8_t>(record.kind()));
  out.put_raw(record.repository.bytes);
  put_text(out, record.name, kRecordNameBytesMax);
  out.put_varint(record.number).put_raw(record.parent.bytes).put_raw(record.nonce);
  out.put_signed_varint(record.time.seconds).put_varint(record.time.nanoseconds);
  put_text(out, record.device, kRecordDeviceBytesMax);
  put_text(out, record.message, kRecordMessageBytesMax);
  out.put_bytes(body.written());
  out.put_varint(record.extensions.size());
  for (const Extension& extension : record.extensions) {
    out.put_u8(extension.critical ? 1 : 0);
    put_text(out, extension.key, kExtensionKeyBytesMax);
    put_text(out, extension.value, kExtensionValueBytesMax);
  }
  out.put_varint(record.signatures.size());
  for (const Signature& signature : record.signatures) {
    put_text(out, signature.key, kSignatureKeyBytesMax);
    put_text(out, signature.algorithm, kSignatureAlgorithmBytesMax);
    put_text(out, signature.bytes, kSignatureBytesMax);
  }
  out.put_raw(sha256(out.written()));
  return out.take();
}

Result<RefRecord> decode_record(Bytes bytes) {
  SATCHEL_ASSIGN(const Bytes fields, open_envelope(bytes));
  ByteReader in(fields);
  RefRecord record;
  SATCHEL_ASSIGN(const std::uint8_t kind, in.get_u8());
  SATCHEL_ASSIGN(record.repository.bytes, in.get_array<16>());
  SATCHEL_ASSIGN(record.name, get_text(in, kRecordNameBytesMax));
  SATCHEL_ASSIGN(record.number, in.get_varint());
  SATCHEL_ASSIGN(record.parent, in.get_digest<RecordHash>());
  SATCHEL_ASSIGN(record.nonce, in.get_array<16>());
  SATCHEL_ASSIGN(record.time, decode_time(in));
  SATCHEL_ASSIGN(record.device, get_text(in, kRecordDeviceBytesMax));
  SATCHEL_ASSIGN(record.message, get_text(in, kRecordMessageBytesMax));
  SATCHEL_ASSIGN(const Bytes body, in.get_bytes(kRecordBodyBytesMax));
  SATCHEL_ASSIGN(record.body, decode_body(static_cast<RefKind>(kind), body));
  SATCHEL_ASSIGN(record.extensions, decode_extensions(in));
  SATCHEL_ASSIGN(record.signatures, decode_signatures(in));
  SATCHEL_TRY(in.expect_end());
  SATCHEL_TRY(check_record(record));
  return record;
}

RecordHash record_hash(Bytes encoded) {
  return RecordHash{sha256(encoded)};
}

}  // namespace satchel::store
