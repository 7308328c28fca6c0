#include "store/refs.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "base/encoding.h"
#include "base/sha256.h"

namespace satchel::store {
namespace {

template <typename DigestType>
DigestType digest_of(std::string_view text) {
  return DigestType{sha256(as_bytes(text))};
}

RefRecord record_of(RefBody body, std::string name) {
  RefRecord record;
  record.repository.bytes.fill(std::byte{7});
  record.name = std::move(name);
  record.number = 3;
  record.parent = digest_of<RecordHash>("parent");
  record.nonce.fill(std::byte{9});
  record.time = {.seconds = -5, .nanoseconds = 999'999'999};
  record.device = "desk";
  record.message = "why";
  record.body = std::move(body);
  return record;
}

RefRecord layer_record() {
  return record_of(LayerBody{.layer_kind = "os",
                             .root = digest_of<RootId>("root"),
                             .built_on = digest_of<RootId>("below"),
                             .files = 10,
                             .bytes = 1'000'000},
                   "os/debian12");
}

RefRecord image_record() {
  return record_of(
      ImageBody{.layers = {{.name = "os/debian12", .number = 1, .root = digest_of<RootId>("a")},
                           {.name = "group/office", .number = 2, .root = digest_of<RootId>("b")}},
                .composed = digest_of<RootId>("both")},
      "lab");
}

RefRecord user_record() {
  RefRecord record =
      record_of(UserBody{.image_name = "lab",
                         .image_number = 1,
                         .image_root = digest_of<RootId>("image"),
                         .app = digest_of<RootId>("app"),
                         .sysdata = {},
                         .data = digest_of<RootId>("data"),
                         .machines = {{.machine_id = "desk", .root = digest_of<RootId>("m1")},
                                      {.machine_id = "laptop", .root = digest_of<RootId>("m2")}},
                         .rules = digest_of<RulesId>("rules"),
                         .composed = digest_of<RootId>("composed"),
                         .conflicts = {},
                         .packs = {digest_of<PackId>("p1"), digest_of<PackId>("p2")},
                         .bytes_new = 12345},
                "ada");
  record.extensions = {{.critical = false, .key = "hue", .value = "blue"}};
  record.signatures = {{.key = "k", .algorithm = "ed25519", .bytes = "s"}};
  return record;
}

/// `encoded` with its bytes edited and a checksum that fits again.
std::vector<std::byte> with_checksum(std::vector<std::byte> bytes) {
  bytes.resize(bytes.size() - 32);
  const Sha256Value hash = sha256(bytes);
  bytes.insert(bytes.end(), hash.begin(), hash.end());
  return bytes;
}

void check_error(const Result<RefRecord>& result, Sat sat) {
  REQUIRE(!result);
  CHECK(result.error().sat == sat);
}

TEST_SUITE("store/refs") {
  TEST_CASE("names are what the format allows and nothing else") {
    for (const std::string text : {"a", "0", "ada", "a.b_c-d", "debian12"}) {
      CAPTURE(text);
      CHECK(RefName::user(text));
      CHECK(RefName::image(text));
      CHECK(RefName::layer("group/" + text));
    }
    CHECK(RefName::user(std::string(63, 'a')));
    for (const std::string& text :
         {std::string(), std::string(64, 'a'), std::string("Ada"), std::string("-a"),
          std::string(".a"), std::string("a b"), std::string("a/b"), std::string("ä"),
          std::string("a\0b", 3), std::string("images"), std::string("main"), std::string("..")}) {
      CAPTURE(text);
      const auto name = RefName::user(text);
      REQUIRE(!name);
      CHECK(name.error().code == EINVAL);
      CHECK(name.error().sat == Sat::kBadName);
      CHECK(!RefName::image(text));
      CHECK(!RefName::layer("os/" + text));
    }
    for (const std::string text : {"debian", "planet/x", "/x", "os/"}) {
      CAPTURE(text);
      CHECK(!RefName::layer(text));
    }
  }

  TEST_CASE("a name knows its folder and the kind of its layer") {
    const RefName layer = RefName::layer("sysdata/x").value();
    CHECK(layer.kind() == RefKind::kLayer);
    CHECK(layer.folder() == "layers/sysdata/x");
    CHECK(layer.layer_kind() == "sysdata");
    CHECK(RefName::image("lab")->folder() == "images/lab");
    CHECK(RefName::user("ada")->folder() == "users/ada");
    CHECK(RefName::user("ada")->layer_kind().empty());
  }

  TEST_CASE("records of each kind come back as they were") {
    for (const RefRecord& record : {layer_record(), image_record(), user_record()}) {
      CAPTURE(record.name);
      const std::vector<std::byte> encoded = encode_record(record);
      const auto decoded = decode_record(encoded);
      REQUIRE(decoded);
      CHECK((*decoded == record));
      CHECK(encode_record(*decoded) == encoded);
      CHECK(record_hash(encoded) == RecordHash{sha256(encoded)});
    }
    CHECK(layer_record().kind() == RefKind::kLayer);
    CHECK(image_record().kind() == RefKind::kImage);
    CHECK(user_record().kind() == RefKind::kUser);
  }

  TEST_CASE("no flipped byte and no cut goes unnoticed") {
    const std::vector<std::byte> good = encode_record(user_record());
    for (std::size_t at = 0; at < good.size(); ++at) {
      CAPTURE(at);
      std::vector<std::byte> bytes = good;
      bytes[at] ^= std::byte{4};
      CHECK(!decode_record(bytes));
      CHECK(!decode_record(Bytes(good).first(at)));
    }
    std::vector<std::byte> flipped = good;
    flipped[20] ^= std::byte{1};
    check_error(decode_record(flipped), Sat::kCorrupted);
    check_error(decode_record({}), Sat::kCorrupted);
  }

  TEST_CASE("what a later version may write is refused by name") {
    std::vector<std::byte> bytes = encode_record(layer_record());
    SUBCASE("magic") {
      bytes[7] = std::byte{'1'};
    }
    SUBCASE("kind") {
      bytes[8] = std::byte{4};
    }
    SUBCASE("critical extension") {
      RefRecord record = layer_record();
      record.extensions = {{.critical = true, .key = "seal", .value = ""}};
      bytes = encode_record(record);
      CHECK(decode_record(bytes).error().message.find("seal") != std::string::npos);
    }
    check_error(decode_record(with_checksum(bytes)), Sat::kNewerFormat);
  }

  TEST_CASE("fields that cannot be true together are refused") {
    struct Row {
      std::string what;
      std::function<void(RefRecord&)> edit;
    };
    const Row rows[] = {
        {"number 0", [](RefRecord& record) { record.number = 0; }},
        {"first with a parent", [](RefRecord& record) { record.number = 1; }},
        {"third without a parent", [](RefRecord& record) { record.parent = {}; }},
        {"no name", [](RefRecord& record) { record.name = "../etc"; }},
        {"name of another kind", [](RefRecord& record) { record.name = "ada"; }},
        {"layer kind not that of the name", [](RefRecord& record) { record.name = "group/x"; }},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      RefRecord record = layer_record();
      row.edit(record);
      check_error(decode_record(encode_record(record)), Sat::kContradiction);
    }
    RefRecord unordered = user_record();
    auto& machines = std::get<UserBody>(unordered.body).machines;
    std::swap(machines[0], machines[1]);
    check_error(decode_record(encode_record(unordered)), Sat::kContradiction);
  }

  TEST_CASE("bytes left over in a body are refused") {
    ByteWriter body;
    body.put_text("os").put_raw(std::array<std::byte, 64>{}).put_varint(1).put_varint(2);
    const auto encode = [&](Bytes inner) {
      RefRecord record = layer_record();
      ByteWriter out;
      out.put_raw(as_bytes("SATREF00")).put_u8(1).put_raw(record.repository.bytes);
      out.put_text(record.name).put_varint(record.number).put_raw(record.parent.bytes);
      out.put_raw(record.nonce).put_signed_varint(0).put_varint(0).put_text("").put_text("");
      out.put_bytes(inner).put_varint(0).put_varint(0);
      out.put_raw(sha256(out.written()));
      return out.take();
    };
    CHECK(decode_record(encode(body.written())));
    body.put_u8(0);
    check_error(decode_record(encode(body.written())), Sat::kContradiction);
  }
}

}  // namespace
}  // namespace satchel::store
