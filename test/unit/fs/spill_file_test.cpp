#include "fs/spill_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "test/support/seeded_random.h"
#include "test/support/temp_dir.h"

namespace satchel::fs {
namespace {

struct Spilled {
  satchel::test::TempDir folder;
  satchel::test::SeededRandom random{7};
  SectorCipher cipher{random};
  std::unique_ptr<SpillFile> file = SpillFile::make(folder.fd(), cipher, 1).value();

  std::string read(std::uint64_t offset, std::size_t length) {
    std::string text(length, '?');
    const auto count = file->read(offset, std::as_writable_bytes(std::span(text)));
    REQUIRE(count.has_value());
    text.resize(*count);
    return text;
  }
  void write(std::uint64_t offset, const std::string& text) {
    REQUIRE(file->write(offset, std::as_bytes(std::span(text))).value() == text.size());
  }
};

TEST_SUITE("fs/spill_file") {
  TEST_CASE("a cipher gives back what it took, and other bytes for each place") {
    satchel::test::SeededRandom random(1);
    const SectorCipher cipher(random);
    const SectorCipher other(random);
    std::vector<std::byte> first(SectorCipher::kSectorBytes, std::byte{'x'});
    std::vector<std::byte> second = first;
    std::vector<std::byte> third = first;
    const auto sector = [](std::vector<std::byte>& bytes) {
      return std::span<std::byte, SectorCipher::kSectorBytes>(bytes);
    };
    cipher.encrypt(1, 0, sector(first));
    cipher.encrypt(1, 1, sector(second));
    cipher.encrypt(2, 0, sector(third));
    CHECK(first != second);
    CHECK(first != third);
    CHECK(second != third);
    std::vector<std::byte> wrong = first;
    other.decrypt(1, 0, sector(wrong));
    cipher.decrypt(1, 0, sector(first));
    CHECK(first == std::vector<std::byte>(SectorCipher::kSectorBytes, std::byte{'x'}));
    CHECK(wrong != first);
  }

  TEST_CASE_FIXTURE(Spilled, "it reads what was written, holes and its end as other files do") {
    CHECK(read(0, 10).empty());
    write(5000, "hello");
    CHECK(file->size() == 5005);
    CHECK(read(0, 4) == std::string(4, '\0'));
    CHECK(read(4998, 100) == std::string(2, '\0') + "hello");
    CHECK(read(5005, 10).empty());
    CHECK(file->seek(0, SEEK_DATA).value() == 4096);
    CHECK(file->seek(4096, SEEK_HOLE).value() == 5005);
    CHECK(file->seek(5005, SEEK_DATA).error().code == ENXIO);
    CHECK(file->blocks() > 0);
  }

  TEST_CASE_FIXTURE(Spilled,
                    "what is cut off or cleared reads as zeros when the file grows again") {
    write(0, std::string(20'000, 'x'));
    REQUIRE(file->resize(100).has_value());
    REQUIRE(file->resize(20'000).has_value());
    CHECK(read(0, 20'000) == std::string(100, 'x') + std::string(19'900, '\0'));
    write(0, std::string(20'000, 'y'));
    REQUIRE(file->clear(1000, 100).has_value());
    REQUIRE(file->clear(4000, 9000).has_value());
    std::string expected(20'000, 'y');
    std::fill_n(expected.begin() + 1000, 100, '\0');
    std::fill_n(expected.begin() + 4000, 9000, '\0');
    CHECK(read(0, 20'000) == expected);
    REQUIRE(file->clear(19'999, 1'000'000).has_value());
    CHECK(file->size() == 20'000);
    REQUIRE(file->reserve(0, 100'000).has_value());
    CHECK(file->size() == 20'000);
  }

  TEST_CASE_FIXTURE(Spilled, "random changes give what they give in memory, and no plain byte") {
    std::string expected;
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t offset = random.number() % 40'000;
      const std::size_t length = 1 + random.number() % 9000;
      switch (random.number() % 4) {
        case 0:
          REQUIRE(file->resize(offset).has_value());
          expected.resize(offset, '\0');
          break;
        case 1:
          REQUIRE(file->clear(offset, length).has_value());
          for (std::size_t at = offset; at < std::min(expected.size(), offset + length); ++at) {
            expected[at] = '\0';
          }
          break;
        default: {
          const std::string text(length, static_cast<char>('a' + i % 26));
          write(offset, text);
          expected.resize(std::max(expected.size(), offset + length), '\0');
          expected.replace(offset, length, text);
        }
      }
      if (i % 50 == 0) REQUIRE(read(0, 60'000) == expected);
    }
    CHECK(read(0, 60'000) == expected);
  }
}

}  // namespace
}  // namespace satchel::fs
