#include "store/pack.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>

#include "base/encoding.h"
#include "base/sha256.h"
#include "test/support/file_bytes.h"
#include "test/support/seeded_random.h"
#include "test/support/temp_dir.h"

namespace satchel::store {
namespace {

constexpr std::size_t kFooterBytes = 64;
constexpr std::size_t kItemBytes = 50;

EntryKey key_of(EntryType type, std::string_view raw) {
  return {type, sha256(as_bytes(raw))};
}

/// A pack in a file, of entries that are their own ids' preimages.
class PackFile {
 public:
  PackFile(PackKind kind, EntryType type, const std::vector<std::string>& raws) {
    auto writer = PackWriter::start(open_file(O_CREAT | O_EXCL), kind).value();
    for (const std::string& raw : raws) {
      REQUIRE(writer.append(key_of(type, raw), static_cast<std::uint32_t>(raw.size()),
                            compress(as_bytes(raw))));
    }
    id = writer.finish().value();
    items = writer.items();
  }

  [[nodiscard]] std::string path() const { return directory_.path().text + "/pack"; }
  [[nodiscard]] UniqueFd open_file(int flags = 0) const {
    UniqueFd fd(::open(path().c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    REQUIRE(fd.valid());
    return fd;
  }
  /// Rewrites the index and a footer that fits it.
  void edit_index(const std::function<void(std::string&)>& edit) const {
    std::string bytes = test::read_whole(path());
    const std::size_t index_bytes = items.size() * kItemBytes;
    std::string index = bytes.substr(bytes.size() - kFooterBytes - index_bytes, index_bytes);
    bytes.resize(bytes.size() - kFooterBytes - index_bytes);
    edit(index);
    ByteWriter footer;
    footer.put_u64(bytes.size())
        .put_u64(index.size())
        .put_u64(index.size() / kItemBytes)
        .put_raw(sha256(as_bytes(index)))
        .put_raw(as_bytes("SATPEND0"));
    test::write_whole(path(), bytes + index + std::string(as_text(footer.written())));
  }

  PackId id;
  std::vector<PackIndexItem> items;

 private:
  test::TempDir directory_;
};

std::vector<std::string> some_texts() {
  std::vector<std::string> texts = {"", "x", std::string(100'000, 'z')};
  std::vector<std::byte> noise(50'000);
  test::SeededRandom(3).fill(noise);
  texts.emplace_back(as_text(noise));
  return texts;
}

template <typename Value>
void check_error(const Result<Value>& result, int code, Sat sat) {
  REQUIRE(!result);
  CHECK(result.error().code == code);
  CHECK(result.error().sat == sat);
}

TEST_SUITE("store/pack") {
  TEST_CASE("a pack gives back its entries, in any order") {
    const std::vector<std::string> texts = some_texts();
    const PackFile pack(PackKind::kData, EntryType::kChunk, texts);
    const UniqueFd fd = pack.open_file();
    const auto items = read_pack_index(fd.get()).value();
    CHECK(items == pack.items);
    CHECK(std::ranges::is_sorted(items, {}, &PackIndexItem::key));
    for (const std::string& text : texts) {
      const auto item =
          std::ranges::find(items, key_of(EntryType::kChunk, text), &PackIndexItem::key);
      REQUIRE(item != items.end());
      CHECK(as_text(read_pack_entry(fd.get(), *item).value()) == text);
    }
    CHECK(verify_pack(fd.get(), pack.id));
  }

  TEST_CASE("the id is the hash of all but the footer, the same for the same entries") {
    const PackFile pack(PackKind::kMetadata, EntryType::kRoot, {"a", "b"});
    const PackFile same(PackKind::kMetadata, EntryType::kRoot, {"a", "b"});
    CHECK(pack.id == same.id);
    const std::string bytes = test::read_whole(pack.path());
    CHECK(bytes.starts_with(std::string_view("SATPACK0\2\0\0\0\0\0\0\0", 16)));
    CHECK(pack.id ==
          PackId{sha256(as_bytes(std::string_view(bytes).substr(0, bytes.size() - 64)))});
  }

  TEST_CASE("an empty pack is a pack") {
    const PackFile pack(PackKind::kData, EntryType::kChunk, {});
    const UniqueFd fd = pack.open_file();
    CHECK(read_pack_index(fd.get()).value().empty());
    CHECK(verify_pack(fd.get(), pack.id));
  }

  TEST_CASE("what was appended can be read before the pack is finished") {
    const test::TempDir directory;
    UniqueFd fd(::openat(directory.fd(), "p", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    auto writer = PackWriter::start(std::move(fd), PackKind::kData).value();
    const std::string text(1000, 'q');
    const auto item =
        writer.append(key_of(EntryType::kChunk, text), 1000, compress(as_bytes(text))).value();
    CHECK(as_text(read_pack_entry(writer.fd(), item).value()) == text);
    CHECK(writer.entries() == 1);
    CHECK(writer.bytes() == 16 + item.stored_bytes);
  }

  TEST_CASE("no flipped byte goes unnoticed") {
    const std::vector<std::string> texts = {"the first entry", std::string(300, 'y'), "third"};
    const PackFile pack(PackKind::kData, EntryType::kChunk, texts);
    const std::string good = test::read_whole(pack.path());
    for (std::size_t at = 0; at < good.size(); ++at) {
      CAPTURE(at);
      test::flip_byte(pack.path(), at);
      const UniqueFd fd = pack.open_file();
      const auto items = read_pack_index(fd.get());
      bool is_noticed = !items || !verify_pack(fd.get(), pack.id);
      if (items) {
        for (const PackIndexItem& item : *items) {
          const auto raw = read_pack_entry(fd.get(), item);
          if (!raw || sha256(*raw) != item.key.id) is_noticed = true;
        }
      }
      CHECK(is_noticed);
      test::write_whole(pack.path(), good);
    }
  }

  TEST_CASE("a pack that is cut short anywhere is corrupted") {
    const PackFile pack(PackKind::kData, EntryType::kChunk, {"one", "two"});
    const std::string good = test::read_whole(pack.path());
    for (std::size_t size = 0; size < good.size(); ++size) {
      CAPTURE(size);
      test::write_whole(pack.path(), good.substr(0, size));
      const UniqueFd fd = pack.open_file();
      CHECK(!read_pack_index(fd.get()));
      CHECK(!verify_pack(fd.get(), pack.id));
    }
    test::write_whole(pack.path(), good.substr(0, good.size() - 1));
    check_error(read_pack_index(pack.open_file().get()), EBADMSG, Sat::kCorrupted);
  }

  TEST_CASE("an index that is consistent in itself but not with its pack is refused") {
    struct Row {
      std::string what;
      std::function<void(std::string&)> edit;
      int code;
      Sat sat;
    };
    constexpr std::size_t kOffsetAt = 34;
    constexpr std::size_t kStoredAt = 42;
    constexpr std::size_t kRawAt = 46;
    const auto set = [](std::size_t at, std::string bytes) {
      return [at, bytes = std::move(bytes)](std::string& index) {
        index.replace(at, bytes.size(), bytes);
      };
    };
    const Row rows[] = {
        {"type 0", set(0, std::string(1, '\0')), ENOTSUP, Sat::kNewerFormat},
        {"type 8", set(0, "\x08"), ENOTSUP, Sat::kNewerFormat},
        {"codec 2", set(1, "\x02"), ENOTSUP, Sat::kNewerFormat},
        {"type of a metadata pack", set(0, "\x02"), EUCLEAN, Sat::kContradiction},
        {"offset in the header", set(kOffsetAt, "\x01"), EUCLEAN, Sat::kContradiction},
        {"offset after the index", set(kOffsetAt, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), EUCLEAN,
         Sat::kContradiction},
        {"stored longer than raw", set(kRawAt, std::string(4, '\0')), EUCLEAN, Sat::kContradiction},
        {"raw above 4 MiB", set(kRawAt, std::string("\x01\x00\x40\x00", 4)), EUCLEAN,
         Sat::kContradiction},
        {"stored reaches into the index",
         [&](std::string& index) {
           set(kStoredAt, std::string("\x00\x10\x00\x00\x00\x10\x00\x00", 8))(index);
         },
         EUCLEAN, Sat::kContradiction},
        {"out of order",
         [](std::string& index) { std::rotate(index.begin(), index.begin() + 50, index.end()); },
         EUCLEAN, Sat::kContradiction},
        {"one entry twice", [](std::string& index) { index.replace(50, 50, index.substr(0, 50)); },
         EUCLEAN, Sat::kContradiction},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      const PackFile pack(PackKind::kData, EntryType::kChunk, {"first entry", "second entry"});
      pack.edit_index(row.edit);
      check_error(read_pack_index(pack.open_file().get()), row.code, row.sat);
    }
  }

  TEST_CASE("another version or kind of pack is a newer format") {
    struct Row {
      std::string what;
      std::size_t at_from_start;
      char byte;
    };
    const PackFile pack(PackKind::kData, EntryType::kChunk, {"one"});
    const std::string good = test::read_whole(pack.path());
    const Row rows[] = {{"header version", 7, '1'},
                        {"footer version", good.size() - 1, '1'},
                        {"kind", 8, '\3'},
                        {"reserved byte", 9, '\1'}};
    for (const Row& row : rows) {
      CAPTURE(row.what);
      std::string bytes = good;
      bytes[row.at_from_start] = row.byte;
      test::write_whole(pack.path(), bytes);
      check_error(read_pack_index(pack.open_file().get()), ENOTSUP, Sat::kNewerFormat);
    }
  }

  TEST_CASE("an entry's claims are checked again when it is read") {
    const PackFile pack(PackKind::kData, EntryType::kChunk, {"one"});
    const UniqueFd fd = pack.open_file();
    PackIndexItem item = pack.items[0];
    item.raw_bytes = kRawBytesMax + 1;
    check_error(read_pack_entry(fd.get(), item), EUCLEAN, Sat::kContradiction);
    item = pack.items[0];
    item.offset = 1U << 30U;
    check_error(read_pack_entry(fd.get(), item), EBADMSG, Sat::kCorrupted);
    item = pack.items[0];
    item.codec = static_cast<Codec>(7);
    check_error(read_pack_entry(fd.get(), item), ENOTSUP, Sat::kNewerFormat);
  }

  TEST_CASE("keys name their type and id") {
    const EntryKey key{EntryType::kLinkPage, {}};
    CHECK(to_text(key) == "link page " + std::string(64, '0'));
    CHECK(to_key_bytes(key) == std::string("\3") + std::string(32, '\0'));
    CHECK(pack_kind_of(EntryType::kChunk) == PackKind::kData);
    CHECK(pack_kind_of(EntryType::kRecipe) == PackKind::kMetadata);
  }
}

}  // namespace
}  // namespace satchel::store
