#include "store/entry.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "store/format_error.h"
#include "store/tree_store.h"

namespace satchel::store {
namespace {

Entry named(std::string_view name, Kind kind) {
  Entry entry;
  entry.name = Name::checked(name);
  entry.kind = kind;
  return entry;
}

/// One entry of each kind, with as much in it as that kind can have.
std::vector<Entry> full_entries() {
  Entry file = named("file", Kind::kFile);
  file.attributes = {07777, 1000, std::numeric_limits<std::uint32_t>::max(), {-1, 999'999'999}, {}};
  file.attributes.xattrs.inline_set = encode_xattrs({{"user.a", "1"}});
  file.file_id = root_file_id();
  file.linked = true;
  file.content = {ContentDigest{{std::byte{7}}}, std::numeric_limits<std::uint64_t>::max()};
  Entry empty = named("empty", Kind::kFile);
  Entry opaque = named("opaque", Kind::kDirectory);
  opaque.mark = DirectoryMark::kOpaque;
  opaque.attributes.xattrs.object.bytes[3] = std::byte{3};
  opaque.directory = {PageId{{std::byte{9}}}, 12, false};
  Entry inherit = opaque;
  inherit.mark = DirectoryMark::kInherit;
  inherit.directory.marked_below = true;
  Entry symlink = named(std::string(255, 'n'), Kind::kSymlink);
  symlink.target = std::string(4095, 't');
  Entry device = named("\xFF\n", Kind::kBlockDevice);
  device.device = {8, std::numeric_limits<std::uint32_t>::max()};
  Entry tty = device;
  tty.kind = Kind::kCharDevice;
  return {file,
          empty,
          opaque,
          inherit,
          symlink,
          device,
          tty,
          named("fifo", Kind::kFifo),
          named("socket", Kind::kSocket),
          Entry::whiteout(Name::checked("gone"))};
}

std::vector<std::byte> encoded(const Entry& entry) {
  ByteWriter out;
  encode_entry(entry, out);
  return out.take();
}

Result<Entry> decoded(Bytes bytes) {
  ByteReader in(bytes);
  SATCHEL_ASSIGN(Entry entry, decode_entry(in));
  SATCHEL_TRY(in.expect_end());
  return entry;
}

/// The bytes of a file "f": its flags stand at 3, its mode from 4.
std::vector<std::byte> small_file() {
  return encoded(named("f", Kind::kFile));
}

TEST_SUITE("store/entry") {
  TEST_CASE("an entry of each kind decodes to itself") {
    for (const Entry& entry : full_entries()) {
      CAPTURE(entry);
      const Result<Entry> result = decoded(encoded(entry));
      REQUIRE(result);
      CHECK(*result == entry);
    }
  }

  TEST_CASE("an entry that is cut anywhere is refused") {
    for (const Entry& entry : full_entries()) {
      const std::vector<std::byte> bytes = encoded(entry);
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        CAPTURE(entry);
        CAPTURE(size);
        const Result<Entry> result = decoded(Bytes(bytes).first(size));
        REQUIRE_FALSE(result);
        CHECK(result.error().code == EUCLEAN);
      }
    }
  }

  TEST_CASE("flags and kinds are refused where they cannot be or are not known") {
    struct Row {
      std::string what;
      std::size_t position;
      unsigned value;
      Sat expected;
    };
    const Row rows[] = {
        {"kind 0", 2, 0, Sat::kNewerFormat},
        {"kind 9", 2, 9, Sat::kNewerFormat},
        {"an opaque file", 3, 16, Sat::kContradiction},
        {"a file that inherits", 3, 32, Sat::kContradiction},
        {"a file with marks below", 3, 64, Sat::kContradiction},
        {"xattrs in two places", 3, 12, Sat::kContradiction},
        {"a whiteout with flags", 2, 8, Sat::kContradiction},
        {"the name '/'", 1, '/', Sat::kContradiction},
        {"the name '.'", 1, '.', Sat::kContradiction},
        {"a name with a zero byte", 1, 0, Sat::kContradiction},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      std::vector<std::byte> bytes = small_file();
      if (row.what == "a whiteout with flags") bytes[3] = std::byte{1};
      bytes[row.position] = static_cast<std::byte>(row.value);
      const Result<Entry> result = decoded(bytes);
      REQUIRE_FALSE(result);
      CHECK(result.error().sat == row.expected);
    }
  }

  TEST_CASE("an unknown flag is a newer format") {
    ByteWriter out;
    out.put_text("f").put_u8(1).put_varint(256);
    ByteReader in(out.written());
    const Result<Entry> result = decode_entry(in);
    REQUIRE_FALSE(result);
    CHECK(result.error().sat == Sat::kNewerFormat);
    CHECK(result.error().code == ENOTSUP);
  }

  TEST_CASE("a directory is not linked, and not opaque and inheriting at once") {
    for (const unsigned flags : {2U, 48U}) {
      CAPTURE(flags);
      std::vector<std::byte> bytes = encoded(named("d", Kind::kDirectory));
      bytes[3] = static_cast<std::byte>(flags);
      const Result<Entry> result = decoded(bytes);
      REQUIRE_FALSE(result);
      CHECK(result.error().sat == Sat::kContradiction);
    }
  }

  TEST_CASE("a file id that is the default one is dropped") {
    Entry entry = named("a", Kind::kFile);
    entry.file_id = default_file_id(root_file_id(), entry.name);
    CHECK(entry.effective_file_id({}) == *entry.file_id);
    entry.normalize_file_id(root_file_id());
    CHECK_FALSE(entry.file_id);
    entry.file_id = root_file_id();
    entry.normalize_file_id(root_file_id());
    CHECK(entry.file_id);
  }

  TEST_CASE("the root's inode number is 1, and none is 0") {
    CHECK(inode_number(root_file_id()) == 1);
    CHECK(inode_number(FileId{}) == 1);
  }

  TEST_CASE("xattrs come back from wherever their size puts them") {
    MemoryTreeStore trees;
    const Xattrs rows[] = {
        {},
        {{"user.small", ""}},
        {{"a", std::string(237, 'v')}, {"b", ""}},  // 256 bytes encoded
        {{"a", std::string(238, 'v')}, {"b", ""}},
        {{"security.capability", std::string("\0\xFF", 2)}, {"user.big", std::string(65'536, 'x')}},
    };
    for (const Xattrs& xattrs : rows) {
      const std::size_t bytes = encode_xattrs(xattrs).size();
      CAPTURE(bytes);
      const Result<XattrsRef> ref = write_xattrs(trees, xattrs);
      REQUIRE(ref);
      CHECK(ref->object.is_none() == (bytes <= XattrsRef::kInlineBytesMax));
      const Result<Xattrs> read = read_xattrs(trees, *ref);
      REQUIRE(read);
      CHECK(*read == xattrs);
    }
  }

  TEST_CASE("xattrs beyond a limit are refused") {
    MemoryTreeStore trees;
    Xattrs many;
    for (char name = 'a'; name <= 'q'; ++name) many[{name}] = std::string(65'536, 'x');
    const Xattrs rows[] = {
        {{"a", std::string(65'537, 'x')}}, {{std::string(256, 'n'), ""}}, {{"", "v"}}, many};
    for (const Xattrs& xattrs : rows) {
      const Result<XattrsRef> ref = write_xattrs(trees, xattrs);
      REQUIRE_FALSE(ref);
      CHECK(ref.error().sat == Sat::kLimit);
    }
  }

  TEST_CASE("an xattr set that is not canonical is refused") {
    const auto set = [](std::uint64_t count, const std::vector<std::string>& names) {
      ByteWriter out;
      out.put_raw(as_bytes("SXA0")).put_varint(count);
      for (const std::string& name : names) out.put_text(name).put_text("v");
      return out.take();
    };
    CHECK(decode_xattrs(set(2, {"a", "b"})));
    CHECK_FALSE(decode_xattrs(set(0, {})));
    CHECK_FALSE(decode_xattrs(set(2, {"b", "a"})));
    CHECK_FALSE(decode_xattrs(set(2, {"a", "a"})));
    CHECK_FALSE(decode_xattrs(set(1, {""})));
    CHECK_FALSE(decode_xattrs(set(1, {"a", "b"})));
    CHECK_FALSE(decode_xattrs(set(3, {"a", "b"})));
    CHECK_FALSE(decode_xattrs(as_bytes("SXA1")));
  }
}

}  // namespace
}  // namespace satchel::store
