#include "store/object_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/file_io.h"
#include "store/content_writer.h"
#include "test/support/file_bytes.h"
#include "test/support/scratch_repository.h"

namespace satchel::store {
namespace {

namespace files = std::filesystem;
constexpr std::uint64_t kMiB = 1U << 20U;

std::vector<std::byte> random_bytes(std::uint64_t seed, std::size_t size) {
  std::vector<std::byte> bytes(size);
  test::SeededRandom(seed).fill(bytes);
  return bytes;
}

std::vector<std::byte> read_fd(int fd, std::uint64_t size) {
  std::vector<std::byte> bytes(size + 1);
  bytes.resize(pread_all(fd, bytes, 0).value());
  return bytes;
}

std::string object_path(const test::TempDir& directory, const ContentId& id) {
  return directory.path().text + "/objects/" + id.digest.hex().substr(0, 2) + "/" +
         id.digest.hex() + "." + std::to_string(id.size);
}

std::size_t count_files(const std::string& path) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : files::directory_iterator(path)) ++count;
  return count;
}

/// A repository with one content, and a store that does not have it.
struct Arriving {
  explicit Arriving(std::size_t size) : bytes(random_bytes(size, size)) {
    Upload upload(*repository);
    ContentWriter writer(upload);
    REQUIRE(writer.append(bytes));
    id = writer.finish().value();
    REQUIRE(upload.finish());
  }
  ContentReader reader() { return ContentReader::open(*repository, id).value(); }

  test::ScratchRepository repository;
  test::TempDir directory;
  std::vector<std::byte> bytes;
  ContentId id;
};

}  // namespace

TEST_SUITE("store/object_store") {
  TEST_CASE("what is put is opened again, read-only") {
    test::TempDir directory;
    auto objects = ObjectStore::open(directory.path()).value();
    for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{200'000}}) {
      CAPTURE(size);
      const auto bytes = random_bytes(1, size);
      const ContentId id = content_id_of(bytes);
      CHECK_FALSE(objects.open_object(id).value());
      REQUIRE(objects.put(id, bytes));
      REQUIRE(objects.put(id, bytes, ObjectDurability::kRefetchable));
      const auto fd = objects.open_object(id).value();
      REQUIRE(fd);
      CHECK(read_fd(fd->get(), size) == bytes);
      struct stat status {};
      REQUIRE(::fstat(fd->get(), &status) == 0);
      CHECK((status.st_mode & 0777) == 0444);
      CHECK(::write(fd->get(), "x", 1) == -1);
    }
    CHECK(count_files(directory.path().text + "/parts") == 0);
    CHECK(objects.bytes_on_disk().value() >= 200'000);
  }

  TEST_CASE("bytes of another content are not put") {
    test::TempDir directory;
    auto objects = ObjectStore::open(directory.path()).value();
    const auto bytes = random_bytes(2, 1000);
    const auto refused = objects.put(content_id_of(bytes), Bytes(bytes).first(999));
    CHECK(refused.error().sat == Sat::kCorrupted);
  }

  TEST_CASE("a file is taken over by rename") {
    test::TempDir directory;
    auto objects = ObjectStore::open(directory.path()).value();
    const auto bytes = random_bytes(3, 100'000);
    const ContentId id = content_id_of(bytes);
    const std::string path = directory.path().text + "/upper";
    test::write_whole(path, std::string(as_text(bytes)));
    struct stat before {};
    REQUIRE(::stat(path.c_str(), &before) == 0);
    REQUIRE(objects.adopt(id, directory.fd(), "upper"));
    CHECK_FALSE(files::exists(path));
    struct stat after {};
    REQUIRE(::fstat(objects.open_object(id).value()->get(), &after) == 0);
    CHECK(after.st_ino == before.st_ino);
    CHECK(objects.adopt(id, directory.fd(), "absent").error().code == ENOENT);
    test::write_whole(path, "short");
    CHECK(objects.adopt(id, directory.fd(), "upper").error().code == EINVAL);
  }

  TEST_CASE("a file on another filesystem is copied, and checked") {
    struct stat here {};
    struct stat there {};
    test::TempDir directory;
    if (::stat("/dev/shm", &there) != 0 || ::stat(directory.path().c_str(), &here) != 0 ||
        here.st_dev == there.st_dev) {
      return;  // no second filesystem: the case above has shown the rename
    }
    auto objects = ObjectStore::open(directory.path()).value();
    const auto bytes = random_bytes(4, 300'000);
    const ContentId id = content_id_of(bytes);
    const std::string name = "satchel-test-" + std::to_string(::getpid());
    const UniqueFd shm(::open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    test::write_whole("/dev/shm/" + name, std::string(as_text(random_bytes(5, bytes.size()))));
    CHECK(objects.adopt(id, shm.get(), name.c_str()).error().sat == Sat::kCorrupted);
    test::write_whole("/dev/shm/" + name, std::string(as_text(bytes)));
    REQUIRE(objects.adopt(id, shm.get(), name.c_str()));
    CHECK_FALSE(files::exists("/dev/shm/" + name));
    CHECK(read_fd(objects.open_object(id).value()->get(), id.size) == bytes);
  }

  TEST_CASE("a changed object is removed and counts as absent") {
    test::TempDir directory;
    auto objects = ObjectStore::open(directory.path()).value();
    const auto bytes = random_bytes(6, 5000);
    const ContentId id = content_id_of(bytes);
    REQUIRE(objects.put(id, bytes));
    const std::string path = object_path(directory, id);
    files::permissions(path, files::perms::owner_write, files::perm_options::add);
    SUBCASE("in a byte") {
      test::flip_byte(path, 4000);
    }
    SUBCASE("in its size") {
      files::resize_file(path, 4999);
    }
    CHECK_FALSE(objects.open_object(id).value());
    CHECK_FALSE(files::exists(path));
    CHECK_FALSE(files::exists(files::symlink_status(path + ".ok")));
    REQUIRE(objects.put(id, bytes));
    CHECK(objects.open_object(id).value());
  }

  TEST_CASE("an object whose record is gone or does not fit is hashed once") {
    test::TempDir directory;
    auto objects = ObjectStore::open(directory.path()).value();
    const auto bytes = random_bytes(7, 5000);
    const ContentId id = content_id_of(bytes);
    REQUIRE(objects.put(id, bytes));
    const std::string record = object_path(directory, id) + ".ok";
    const auto target = files::read_symlink(record);
    SUBCASE("gone") {
      files::remove(record);
    }
    SUBCASE("of another inode") {
      files::remove(record);
      files::create_symlink(target.string() + "0", record);
    }
    CHECK(objects.open_object(id).value());
    CHECK(files::read_symlink(record) == target);
  }

  TEST_CASE("leaves of a part arrive one by one, and the last makes it an object") {
    Arriving content(1'000'000);
    auto objects = ObjectStore::open(content.directory.path()).value();
    auto reader = content.reader();
    const auto part = objects.open_part(content.id).value();
    CHECK(objects.open_part(content.id).value() == part);
    const std::uint64_t last = reader.leaves() - 1;

    REQUIRE(part->require(reader, 3, 4));
    CHECK(part->has(3, 4));
    CHECK_FALSE(part->has(2, 4));
    std::vector<std::byte> leaves(2 * kLeafBytes);
    CHECK(pread_all(part->fd(), leaves, 3 * kLeafBytes).value() == leaves.size());
    CHECK(leaves == std::vector<std::byte>(content.bytes.begin() + 3 * kLeafBytes,
                                           content.bytes.begin() + 5 * kLeafBytes));
    CHECK_FALSE(objects.open_object(content.id).value());
    CHECK(part->require(reader, 0, last + 1).error().code == EINVAL);

    REQUIRE(part->require(reader, 0, last));
    CHECK(part->is_whole());
    CHECK(part->has(0, last));
    const auto object = objects.open_object(content.id).value();
    REQUIRE(object);
    CHECK(read_fd(object->get(), content.id.size) == content.bytes);
    CHECK(count_files(content.directory.path().text + "/parts") == 0);
    CHECK(objects.open_part(content.id).value()->is_whole());
  }

  TEST_CASE("a part goes on after a restart where it was") {
    Arriving content(3 * kMiB);
    auto reader = content.reader();
    {
      auto objects = ObjectStore::open(content.directory.path()).value();
      REQUIRE(objects.open_part(content.id).value()->require(reader, 5, 20));
    }
    auto objects = ObjectStore::open(content.directory.path()).value();
    const auto part = objects.open_part(content.id).value();
    CHECK(part->has(5, 20));
    CHECK_FALSE(part->has(4, 4));
    CHECK_FALSE(part->has(21, 21));
    const std::uint64_t read_before = content.repository->content_bytes_read();
    auto other_reader = content.reader();
    REQUIRE(part->require(other_reader, 5, 20));
    CHECK(content.repository->content_bytes_read() == read_before);
    REQUIRE(part->require(other_reader, 0, other_reader.leaves() - 1));
    CHECK(read_fd(objects.open_object(content.id).value()->get(), content.id.size) ==
          content.bytes);
  }

  TEST_CASE("the store may go before its parts") {
    Arriving content(200'000);
    auto reader = content.reader();
    std::shared_ptr<ObjectStore::Part> part;
    {
      auto objects = ObjectStore::open(content.directory.path()).value();
      part = objects.open_part(content.id).value();
    }
    REQUIRE(part->require(reader, 0, reader.leaves() - 1));
    CHECK(part->is_whole());
  }

  // The map says which bytes were verified; these are not the bytes any more.
  TEST_CASE("rot in a part of an earlier run does not become an object") {
    Arriving content(1'000'000);
    auto reader = content.reader();
    {
      auto objects = ObjectStore::open(content.directory.path()).value();
      REQUIRE(objects.open_part(content.id).value()->require(reader, 0, 3));
    }
    const std::string part_path = content.directory.path().text + "/parts/" +
                                  content.id.digest.hex() + "." + std::to_string(content.id.size);
    test::flip_byte(part_path, 100'000);
    auto objects = ObjectStore::open(content.directory.path()).value();
    const auto part = objects.open_part(content.id).value();
    const std::uint64_t last = reader.leaves() - 1;
    CHECK(part->require(reader, 0, last).error().sat == Sat::kCorrupted);
    CHECK_FALSE(part->is_whole());
    REQUIRE(part->require(reader, 0, last));
    CHECK(read_fd(objects.open_object(content.id).value()->get(), content.id.size) ==
          content.bytes);
  }

  TEST_CASE("a damaged, old or foreign map means that leaves are fetched again") {
    Arriving content(1'000'000);
    auto reader = content.reader();
    {
      auto objects = ObjectStore::open(content.directory.path()).value();
      REQUIRE(objects.open_part(content.id).value()->require(reader, 0, 3));
    }
    const std::string part_path = content.directory.path().text + "/parts/" +
                                  content.id.digest.hex() + "." + std::to_string(content.id.size);
    SUBCASE("damaged") {
      test::flip_byte(part_path + ".map", 1);
    }
    SUBCASE("torn") {
      files::resize_file(part_path + ".map", 20);
    }
    SUBCASE("left behind by a part that is gone") {
      files::remove(part_path);
    }
    auto objects = ObjectStore::open(content.directory.path()).value();
    const auto part = objects.open_part(content.id).value();
    for (std::uint64_t leaf = 0; leaf < reader.leaves(); ++leaf) CHECK_FALSE(part->has(leaf, leaf));
    REQUIRE(part->require(reader, 0, reader.leaves() - 1));
    CHECK(read_fd(objects.open_object(content.id).value()->get(), content.id.size) ==
          content.bytes);
  }

  // Two stores on one directory stand for two processes: their locks are by open file.
  TEST_CASE("two processes may fetch one content at the same time") {
    Arriving content(1'000'000);
    auto one = ObjectStore::open(content.directory.path()).value();
    auto two = ObjectStore::open(content.directory.path()).value();
    auto reader = content.reader();
    const auto first = one.open_part(content.id).value();
    const auto second = two.open_part(content.id).value();
    auto three =
        ObjectStore::open(content.directory.path()).value();  // removes leftovers, not these
    REQUIRE(first->require(reader, 0, 3));
    REQUIRE(second->require(reader, 2, reader.leaves() - 1));
    REQUIRE(first->require(reader, 0, reader.leaves() - 1));
    REQUIRE(second->require(reader, 0, reader.leaves() - 1));
    for (ObjectStore* store : {&one, &two, &three}) {
      const auto object = store->open_object(content.id).value();
      REQUIRE(object);
      CHECK(read_fd(object->get(), content.id.size) == content.bytes);
    }
    CHECK(count_files(content.directory.path().text + "/parts") == 0);
  }

  TEST_CASE("leftovers of dead processes are removed") {
    test::TempDir directory;
    { auto objects = ObjectStore::open(directory.path()).value(); }
    const std::string leftover =
        directory.path().text + "/parts/" + std::string(kTemporaryPrefix) + "0123";
    test::write_whole(leftover, "x");
    auto objects = ObjectStore::open(directory.path()).value();
    CHECK_FALSE(files::exists(leftover));
  }

  TEST_CASE("threads that want the same leaves share the fetching") {
    Arriving content(4 * kMiB);
    auto objects = ObjectStore::open(content.directory.path()).value();
    auto other = content.repository.open("other").value();
    auto reader = ContentReader::open(other, content.id).value();
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const auto part = objects.open_part(content.id);
        const std::uint64_t leaves = reader.leaves();
        for (std::uint64_t leaf = 0; leaf < leaves; ++leaf) {
          const std::uint64_t wanted = i % 2 == 0 ? leaf : leaves - 1 - leaf;
          if (!part || !(*part)->require(reader, wanted, wanted)) ++failures;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 0);
    CHECK(read_fd(objects.open_object(content.id).value()->get(), content.id.size) ==
          content.bytes);
    CHECK(other.content_bytes_read() < 2 * content.bytes.size());
  }

  TEST_CASE("a sparse content costs its data") {
    test::ScratchRepository repository;
    test::TempDir directory;
    Upload upload(*repository);
    ContentWriter writer(upload);
    constexpr std::uint64_t kHole = std::uint64_t{100} << 30U;
    REQUIRE(writer.append_hole(kHole));
    REQUIRE(writer.append(random_bytes(9, 100'000)));
    const ContentId id = writer.finish().value();
    REQUIRE(upload.finish());
    auto objects = ObjectStore::open(directory.path()).value();
    auto reader = ContentReader::open(*repository, id).value();
    {
      const auto part = objects.open_part(id).value();
      REQUIRE(part->require(reader, reader.leaves() - 2, reader.leaves() - 1));
      REQUIRE(part->require(reader, 1000, 1001));
    }
    CHECK(objects.open_part(id).value()->has(reader.leaves() - 2, reader.leaves() - 1));
    CHECK(objects.bytes_on_disk().value() < kMiB);
  }
}

}  // namespace satchel::store
