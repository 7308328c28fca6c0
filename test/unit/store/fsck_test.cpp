#include "store/fsck.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>

#include "base/sha256.h"
#include "store/content_writer.h"
#include "store/directory.h"
#include "store/repository_tree_store.h"
#include "test/support/file_bytes.h"
#include "test/support/scratch_repository.h"

namespace satchel::store {
namespace {

RefName golden() {
  return RefName::layer("os/golden").value();
}

Entry file_entry(const std::string& name, const ContentId& content) {
  Entry entry;
  entry.name = Name::checked(name);
  entry.content = content;
  return entry;
}

/// A tree with a small file, a big one, a sub-directory and an xattr set of its own, as
/// os/golden@`number`.
RootId commit_tree(test::ScratchRepository& scratch, VersionNumber number,
                   const std::string& marker = "small") {
  Upload upload(*scratch);
  RepositoryTreeStore trees(*scratch, nullptr, &upload);
  ContentWriter small(upload);
  REQUIRE(small.append(as_bytes(marker)));
  const ContentId small_id = small.finish().value();
  std::vector<std::byte> bytes(400'000);
  test::SeededRandom(5).fill(bytes);
  ContentWriter big(upload);
  REQUIRE(big.append(bytes));
  const ContentId big_id = big.finish().value();

  DirectoryBuilder below(trees);
  Entry with_xattrs = file_entry("deep", small_id);
  with_xattrs.attributes.xattrs = write_xattrs(trees, {{"user.a", std::string(500, 'x')}}).value();
  REQUIRE(below.append(with_xattrs));
  Entry directory;
  directory.name = Name::checked("sub");
  directory.kind = Kind::kDirectory;
  directory.directory = below.finish().value();
  DirectoryBuilder top(trees);
  REQUIRE(top.append(file_entry("big", big_id)));
  REQUIRE(top.append(file_entry("small", small_id)));
  REQUIRE(top.append(directory));
  Root root = empty_tree();
  root.directory = top.finish().value();
  const RootId id = trees.put_root(root).value();
  REQUIRE(upload.finish());
  RefRecord record;
  record.number = number;
  record.body = LayerBody{.layer_kind = "os", .root = id};
  REQUIRE(scratch->commit(golden(), record, upload.relied_on()));
  return id;
}

bool has_problem(const FsckReport& report, Sat sat, std::string_view where) {
  return std::ranges::any_of(report.problems, [&](const FsckProblem& problem) {
    return problem.sat == sat && problem.where.find(where) != std::string::npos &&
           !problem.what.empty() && !problem.hint.empty();
  });
}

FsckReport fsck(test::ScratchRepository& scratch) {
  return check_repository(*scratch, {}).value();
}

/// The packs of `kind` in the repository.
std::vector<std::string> packs_of(const test::ScratchRepository& scratch, char kind) {
  std::vector<std::string> packs = scratch.pack_paths();
  std::erase_if(packs, [&](const auto& path) { return test::read_whole(path)[8] != kind; });
  return packs;
}

/// Where the entry of `type` stands in the repository; REQUIREs that there is one.
std::pair<std::string, PackIndexItem> find_entry_of(test::ScratchRepository& scratch,
                                                    EntryType type) {
  const std::vector<PackId> packs = scratch->list_packs().value();
  for (const PackId& id : packs) {
    const UniqueFd fd = scratch->open_pack(id).value();
    const std::vector<PackIndexItem> items = read_pack_index(fd.get()).value();
    for (const PackIndexItem& item : items) {
      if (item.key.type == type) return {scratch->pack_path(id).text, item};
    }
  }
  REQUIRE(false);
  return {};
}

TEST_SUITE("store/fsck") {
  TEST_CASE("a whole repository has no problems, and everything is counted") {
    test::ScratchRepository scratch;
    CHECK(fsck(scratch).ok());
    commit_tree(scratch, 1);
    commit_tree(scratch, 2, "another");
    std::uint64_t last_done = 0;
    const FsckOptions options{.progress = [&](std::uint64_t done, std::uint64_t total) {
      CHECK(done == last_done + 1);
      CHECK(total == 4);
      last_done = done;
    }};
    const FsckReport report = check_repository(*scratch, options).value();
    for (const FsckProblem& problem : report.problems) MESSAGE(problem.where, ": ", problem.what);
    CHECK(report.ok());
    CHECK(report.refs == 2);
    CHECK(report.packs == 4);
    CHECK(last_done == 4);
    CHECK(report.entries > 10);
    CHECK(report.bytes > 400'000);
    CHECK(check_repository(*scratch, {.read_contents = false})->ok());
  }

  TEST_CASE("damage to any kind of entry is found, and the pack is named") {
    for (const EntryType type : {EntryType::kChunk, EntryType::kDirectoryPage, EntryType::kRecipe,
                                 EntryType::kXattrSet, EntryType::kRoot}) {
      CAPTURE(to_text(type));
      test::ScratchRepository scratch;
      commit_tree(scratch, 1);
      const auto [pack, item] = find_entry_of(scratch, type);
      test::flip_byte(pack, item.offset + item.stored_bytes / 2);
      const FsckReport report = fsck(scratch);
      CHECK(has_problem(report, Sat::kCorrupted, pack));
      // Of a recipe, what it is that does not fit depends on the byte.
      CHECK(std::ranges::any_of(report.problems, [](const FsckProblem& problem) {
        return problem.where.starts_with("layers/os/golden@1:/");
      }));
    }
  }

  TEST_CASE("damage to a pack's frame is found, and the pack is named") {
    for (const char kind : {'\1', '\2'}) {
      test::ScratchRepository scratch;
      commit_tree(scratch, 1);
      const std::string pack = packs_of(scratch, kind).at(0);
      const std::size_t size = std::filesystem::file_size(pack);
      for (const std::size_t at : {std::size_t{0}, size - 100, size - 60, size - 10, size - 1}) {
        CAPTURE(at);
        test::flip_byte(pack, at);
        CHECK(std::ranges::any_of(fsck(scratch).problems, [&](const FsckProblem& problem) {
          return problem.where == pack;
        }));
        test::flip_byte(pack, at);
      }
      CHECK(fsck(scratch).ok());
    }
  }

  TEST_CASE("a missing pack is found where something needs it") {
    for (const char kind : {'\1', '\2'}) {
      test::ScratchRepository scratch;
      commit_tree(scratch, 1);
      std::filesystem::remove(packs_of(scratch, kind).at(0));
      const FsckReport report = fsck(scratch);
      CHECK(has_problem(report, Sat::kMissingContent, "layers/os/golden@1:/"));
      CHECK(has_problem(report, Sat::kMissingContent, "/big") == (kind == '\1'));
    }
  }

  TEST_CASE("a pack under a wrong name is found") {
    test::ScratchRepository scratch;
    commit_tree(scratch, 1);
    const std::string pack = scratch.pack_paths().at(0);
    std::string other = pack;
    other.back() = other.back() == '0' ? '1' : '0';
    std::filesystem::rename(pack, other);
    CHECK(has_problem(fsck(scratch), Sat::kCorrupted, other));
  }

  TEST_CASE("refs that are damaged, missing or out of their chain are found") {
    test::ScratchRepository scratch;
    for (const VersionNumber number : {1U, 2U, 3U}) commit_tree(scratch, number);
    const std::string folder = scratch.path().text + "/refs/layers/os/golden/";
    SUBCASE("damaged") {
      test::flip_byte(folder + "2", 30);
      CHECK(has_problem(fsck(scratch), Sat::kCorrupted, "layers/os/golden@2"));
    }
    SUBCASE("missing") {
      std::filesystem::remove(folder + "2");
      CHECK(has_problem(fsck(scratch), Sat::kContradiction, "layers/os/golden@2"));
    }
    SUBCASE("a first version that is missing") {
      std::filesystem::remove(folder + "1");
      CHECK(has_problem(fsck(scratch), Sat::kContradiction, "layers/os/golden@1"));
    }
    SUBCASE("of another history") {
      RefRecord record = scratch->read_ref(golden(), 2).value();
      record.message = "rewritten";
      test::write_whole(folder + "2", std::string(as_text(encode_record(record))));
      CHECK(has_problem(fsck(scratch), Sat::kContradiction, "layers/os/golden@3"));
    }
    SUBCASE("of another number") {
      std::filesystem::copy(folder + "1", folder + "4");
      CHECK(has_problem(fsck(scratch), Sat::kContradiction, "layers/os/golden@4"));
    }
  }

  TEST_CASE("parts that do not fit each other are found though every hash is right") {
    test::ScratchRepository scratch;
    Upload upload(*scratch);
    RepositoryTreeStore trees(*scratch, nullptr, &upload);
    Root root = empty_tree();
    DirectoryBuilder builder(trees);
    const ContentDigest digest{upload.put_chunk(as_bytes("four")).value().bytes};
    SUBCASE("a content larger than its chunk") {
      REQUIRE(builder.append(file_entry("file", {digest, 5})));
      root.directory = builder.finish().value();
    }
    SUBCASE("a recipe of another size") {
      std::vector<std::byte> bytes(200'000);
      test::SeededRandom(1).fill(bytes);
      ContentWriter writer(upload);
      REQUIRE(writer.append(bytes));
      ContentId content = writer.finish().value();
      --content.size;
      REQUIRE(builder.append(file_entry("file", content)));
      root.directory = builder.finish().value();
    }
    SUBCASE("a mark that is announced and not there") {
      REQUIRE(builder.append(file_entry("file", {digest, 4})));
      root.directory = builder.finish().value();
      root.directory.marked_below = true;
    }
    SUBCASE("a wrong count of sub-directories") {
      REQUIRE(builder.append(file_entry("file", {digest, 4})));
      root.directory = builder.finish().value();
      root.directory.subdirectories = 1;
    }
    RefRecord record;
    record.number = 1;
    record.body = LayerBody{.layer_kind = "os", .root = trees.put_root(root).value()};
    REQUIRE(upload.finish());
    REQUIRE(scratch->commit(golden(), record, {}));
    CHECK(has_problem(fsck(scratch), Sat::kContradiction, "layers/os/golden@1:/"));
  }

  TEST_CASE("a repository that is away is an error and not a list of problems") {
    test::ScratchRepository scratch;
    commit_tree(scratch, 1);
    std::filesystem::rename(scratch.path().text, scratch.path().text + ".away");
    const auto report = check_repository(*scratch, {});
    REQUIRE(!report);
    CHECK(report.error().sat == Sat::kOffline);
  }

  TEST_CASE("garbage is what no version reaches") {
    test::ScratchRepository scratch;
    commit_tree(scratch, 1);
    const GarbageReport clean = find_garbage(*scratch).value();
    CHECK(clean.packs_unreferenced == 0);
    CHECK(clean.packs_partly == 0);
    CHECK(clean.bytes_unreferenced == 0);
    CHECK(clean.bytes_total > 400'000);

    scratch.put_chunks({std::string(1000, 'a'), std::string(1000, 'b')});
    const GarbageReport whole = find_garbage(*scratch).value();
    CHECK(whole.packs_unreferenced == 1);
    REQUIRE(whole.unreferenced.size() == 1);
    const std::uint64_t pack_bytes =
        std::filesystem::file_size(scratch->pack_path(whole.unreferenced[0]).text);
    CHECK(whole.bytes_unreferenced == pack_bytes);
    CHECK(whole.bytes_total == clean.bytes_total + pack_bytes);

    commit_tree(scratch, 2, std::string(1000, 'a'));  // now one of the two chunks is needed
    const GarbageReport partly = find_garbage(*scratch).value();
    CHECK(partly.packs_unreferenced == 0);
    CHECK(partly.packs_partly == 1);
    CHECK(partly.bytes_unreferenced > 0);
    CHECK(partly.bytes_unreferenced < pack_bytes);
  }

  TEST_CASE("nothing is called garbage while something that is needed is missing") {
    test::ScratchRepository scratch;
    commit_tree(scratch, 1);
    std::filesystem::remove(packs_of(scratch, '\2').at(0));
    const auto report = find_garbage(*scratch);
    REQUIRE(!report);
    CHECK(report.error().sat == Sat::kMissingContent);
    CHECK(report.error().hint.find("satchel fsck") != std::string::npos);
  }
}

}  // namespace
}  // namespace satchel::store
