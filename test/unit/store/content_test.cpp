#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file_io.h"
#include "store/content_reader.h"
#include "store/content_writer.h"
#include "test/support/file_bytes.h"
#include "test/support/scratch_repository.h"

namespace satchel::store {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40U;

std::vector<std::byte> random_bytes(std::uint64_t seed, std::size_t size) {
  std::vector<std::byte> bytes(size);
  test::SeededRandom(seed).fill(bytes);
  return bytes;
}

ContentId store_bytes(Repository& repository, Bytes bytes) {
  Upload upload(repository);
  ContentWriter writer(upload);
  REQUIRE(writer.append(bytes));
  const ContentId id = writer.finish().value();
  REQUIRE(upload.finish());
  return id;
}

std::vector<std::byte> read_all(ContentReader& reader) {
  std::vector<std::byte> bytes;
  for (std::uint64_t leaf = 0; leaf < reader.leaves(); ++leaf) {
    const auto read = reader.read_leaf(leaf).value();
    bytes.insert(bytes.end(), read.bytes.begin(), read.bytes.end());
    const std::uint64_t end = std::min<std::uint64_t>((leaf + 1) * kLeafBytes, reader.id().size);
    if (read.is_hole) bytes.resize(end);
  }
  return bytes;
}

UniqueFd make_file(const test::TempDir& directory, const std::string& name) {
  return UniqueFd(
      ::open((directory.path() / name).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
}

std::uint64_t allocated_bytes(int fd) {
  struct stat status {};
  REQUIRE(::fstat(fd, &status) == 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

}  // namespace

TEST_SUITE("store/content") {
  TEST_CASE("a content of any size is read back as it was stored") {
    test::ScratchRepository repository;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kLeafBytes - 1, kLeafBytes,
                                   kLeafBytes + 1, std::size_t{300'000}, std::size_t{17 * kMiB}}) {
      CAPTURE(size);
      const auto bytes = random_bytes(size, size);
      const ContentId id = store_bytes(*repository, bytes);
      CHECK(id == content_id_of(bytes));
      auto reader = ContentReader::open(*repository, id).value();
      CHECK(reader.leaves() == count_leaves(size));
      CHECK(read_all(reader) == bytes);
      CHECK(reader.read_leaf(reader.leaves()).error().code == EINVAL);
    }
  }

  TEST_CASE("a content of one chunk has no recipe") {
    test::ScratchRepository repository;
    const ContentId small = store_bytes(*repository, random_bytes(1, kLeafBytes));
    CHECK_FALSE(repository->has(EntryKey::of(EntryType::kRecipe, small.digest)).value());
    const ContentId large = store_bytes(*repository, random_bytes(2, kLeafBytes + 1));
    CHECK(repository->has(EntryKey::of(EntryType::kRecipe, large.digest)).value());
  }

  TEST_CASE("the same content again adds nothing") {
    test::ScratchRepository repository;
    const auto bytes = random_bytes(3, 2 * kMiB);
    const ContentId id = store_bytes(*repository, bytes);
    Upload upload(*repository);
    ContentWriter writer(upload);
    REQUIRE(writer.append(bytes));
    CHECK(writer.finish().value() == id);
    CHECK(upload.counts().entries_new == 0);
  }

  TEST_CASE("runs of data and holes are read back, and hash as their bytes") {
    test::ScratchRepository repository;
    test::SeededRandom random(test::test_seed(5));
    for (int round = 0; round < 12; ++round) {
      Upload upload(*repository);
      ContentWriter writer(upload);
      std::vector<std::byte> bytes;
      for (std::uint64_t runs = 1 + random.below(8); runs > 0; --runs) {
        const std::size_t sizes[] = {1, 100, 4095, 4096, kLeafBytes, 200'000, 17 * kMiB};
        const std::size_t size = sizes[random.below(std::size(sizes))];
        if (random.one_in(2)) {
          REQUIRE(writer.append_hole(size));
          bytes.resize(bytes.size() + size);
        } else {
          const auto data = random_bytes(random.below(50), std::min<std::size_t>(size, kMiB));
          REQUIRE(writer.append(data));
          bytes.insert(bytes.end(), data.begin(), data.end());
        }
      }
      CAPTURE(round);
      const ContentId id = writer.finish().value();
      CHECK(id == content_id_of(bytes));
      REQUIRE(upload.finish());
      auto reader = ContentReader::open(*repository, id).value();
      CHECK(read_all(reader) == bytes);
    }
  }

  TEST_CASE("a terabyte with three islands is stored and read at the cost of the islands") {
    test::ScratchRepository repository;
    const auto island = random_bytes(6, 100'000);
    Upload upload(*repository);
    ContentWriter writer(upload);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(writer.append_hole(kTiB / 3 - 12'345));
      REQUIRE(writer.append(island));
    }
    const ContentId id = writer.finish().value();
    REQUIRE(upload.finish());
    CHECK(upload.counts().raw_bytes_new < 400'000);

    auto reader = ContentReader::open(*repository, id).value();
    std::vector<std::uint64_t> data;
    for (std::uint64_t leaf = 0; (leaf = reader.find_data(leaf).value()) < reader.leaves();
         ++leaf) {
      data.push_back(leaf);
      CHECK_FALSE(reader.read_leaf(leaf).value().is_hole);
    }
    CHECK(data.size() >= 6);
    CHECK(data.size() <= 9);
    CHECK(reader.read_leaf(reader.leaves() / 2).value().is_hole);

    const UniqueFd copy = make_file(repository.directory, "copy");
    REQUIRE(write_content_to(*repository, id, copy.get()));
    CHECK(hash_file(copy.get(), id.size).value() == id);
    CHECK(allocated_bytes(copy.get()) < kMiB);
  }

  TEST_CASE("a sparse file is stored with its holes") {
    test::ScratchRepository repository;
    const UniqueFd file = make_file(repository.directory, "sparse");
    const auto data = random_bytes(7, 300'000);
    REQUIRE(::ftruncate(file.get(), static_cast<off_t>(kTiB)) == 0);
    REQUIRE(pwrite_all(file.get(), data, 5 * kMiB + 777));
    Upload upload(*repository);
    const ContentId id = store_file(upload, file.get(), kTiB).value();
    CHECK(hash_file(file.get(), kTiB).value() == id);
    CHECK(upload.counts().raw_bytes_new < kMiB);
  }

  TEST_CASE("a file that is shorter than it was is busy") {
    test::TempDir directory;
    const UniqueFd file = make_file(directory, "short");
    REQUIRE(pwrite_all(file.get(), random_bytes(8, 1000), 0));
    CHECK(hash_file(file.get(), 1001).error().sat == Sat::kBusyFile);
  }

  TEST_CASE("reading may be ended by its progress") {
    test::TempDir directory;
    const UniqueFd file = make_file(directory, "long");
    REQUIRE(pwrite_all(file.get(), random_bytes(9, 3 * kMiB), 0));
    std::uint64_t seen = 0;
    const auto stopped = hash_file(file.get(), 3 * kMiB, [&](std::uint64_t bytes) -> Result<void> {
      seen += bytes;
      return Error{.code = EINTR, .sat = Sat::kInterrupted};
    });
    CHECK(stopped.error().sat == Sat::kInterrupted);
    CHECK(seen < 3 * kMiB);
  }

  TEST_CASE("reading onwards fetches each chunk once") {
    test::ScratchRepository repository;
    const auto bytes = random_bytes(10, 4 * kMiB);
    const ContentId id = store_bytes(*repository, bytes);
    auto other = repository.open("other").value();
    auto reader = ContentReader::open(other, id).value();
    CHECK(read_all(reader) == bytes);
    CHECK(other.content_bytes_read() < bytes.size() + 64 * 1024);
  }

  TEST_CASE("a content that is not here is missing") {
    test::ScratchRepository repository;
    for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}}) {
      const ContentId id = content_id_of(random_bytes(11, size));
      CHECK(ContentReader::open(*repository, id).error().sat == Sat::kMissingContent);
    }
  }

  // The repository checks a chunk against its own id; only the leaf hashes say that it is the one
  // that belongs here, and only the content id says that of them.
  TEST_CASE("a recipe that lies is found out") {
    test::ScratchRepository repository;
    const auto bytes = random_bytes(12, 100'000);
    const auto others = random_bytes(13, 100'000);
    const ContentId honest = content_id_of(bytes);
    Upload upload(*repository);
    const ChunkId chunk = upload.put_chunk(others).value();
    Recipe recipe{.size = bytes.size(),
                  .body = {.extents = {{.length = bytes.size(), .chunk = chunk}}}};

    SUBCASE("in the chunk") {
      recipe.body.leaves = {hash_leaf(Bytes(bytes).first(kLeafBytes)),
                            hash_leaf(Bytes(bytes).subspan(kLeafBytes))};
      REQUIRE(upload.put(EntryKey::of(EntryType::kRecipe, honest.digest), encode_recipe(recipe)));
      REQUIRE(upload.finish());
      auto reader = ContentReader::open(*repository, honest).value();
      CHECK(reader.read_leaf(0).error().code == EBADMSG);
      CHECK(reader.read_leaf(1).error().code == EBADMSG);
    }
    SUBCASE("in the leaf hashes") {
      recipe.body.leaves = {hash_leaf(Bytes(others).first(kLeafBytes)),
                            hash_leaf(Bytes(others).subspan(kLeafBytes))};
      REQUIRE(upload.put(EntryKey::of(EntryType::kRecipe, honest.digest), encode_recipe(recipe)));
      REQUIRE(upload.finish());
      CHECK(ContentReader::open(*repository, honest).error().code == EBADMSG);
    }
    SUBCASE("in the length of the chunk") {
      const ChunkId tiny = upload.put_chunk(Bytes(bytes).first(100)).value();
      recipe.body.extents[0].chunk = tiny;
      recipe.body.leaves = {hash_leaf(Bytes(bytes).first(kLeafBytes)),
                            hash_leaf(Bytes(bytes).subspan(kLeafBytes))};
      REQUIRE(upload.put(EntryKey::of(EntryType::kRecipe, honest.digest), encode_recipe(recipe)));
      REQUIRE(upload.finish());
      auto reader = ContentReader::open(*repository, honest).value();
      CHECK(reader.read_leaf(0).error().code == EUCLEAN);
    }
    SUBCASE("in the size") {
      recipe.size = bytes.size() + 1;
      recipe.body.extents[0].length = bytes.size() + 1;
      recipe.body.leaves.resize(2);
      REQUIRE(upload.put(EntryKey::of(EntryType::kRecipe, honest.digest), encode_recipe(recipe)));
      REQUIRE(upload.finish());
      CHECK(ContentReader::open(*repository, honest).error().code == EUCLEAN);
    }
  }

  TEST_CASE("a recipe page that lies is found out") {
    test::ScratchRepository repository;
    const std::uint64_t size = 32 * kMiB;
    Upload upload(*repository);
    const auto put_page = [&](const PageId& id, Bytes page) -> Result<void> {
      REQUIRE(upload.put(EntryKey::of(EntryType::kRecipePage, id), page));
      return {};
    };
    const auto bytes = random_bytes(14, kMiB);
    const ChunkId chunk = upload.put_chunk(bytes).value();
    RecipeBody other{
        .extents = {{.length = kMiB, .chunk = chunk}, {.length = 15 * kMiB, .is_hole = true}}};
    for (std::uint64_t leaf = 0; leaf < 16; ++leaf) {
      other.leaves.push_back(hash_leaf(Bytes(bytes).subspan(leaf * kLeafBytes, kLeafBytes)));
    }
    const auto encoded = encode_recipe_page(other);
    REQUIRE(put_page(recipe_page_id(encoded), encoded));
    // The top says that its second half hashes to something else than the page that it names.
    Recipe recipe{.size = size,
                  .body = {.level = 1,
                           .children = {{.is_hole = true},
                                        {.page = recipe_page_id(encoded),
                                         .subtree = hash_leaf(as_bytes("other"))}}}};
    const ContentId id = content_id_of_tree(size, hash_recipe_body(recipe.body, size));
    REQUIRE(upload.put(EntryKey::of(EntryType::kRecipe, id.digest), encode_recipe(recipe)));
    REQUIRE(upload.finish());
    auto reader = ContentReader::open(*repository, id).value();
    CHECK(reader.read_leaf(0).value().is_hole);
    CHECK(reader.read_leaf(256).error().code == EBADMSG);
  }
}

}  // namespace satchel::store
