#include "store/repository_tree_store.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/sha256.h"
#include "store/metadata_cache.h"
#include "test/support/scratch_repository.h"
#include "test/support/tree_store_suite.h"

namespace satchel::store {
namespace {

MetadataDb open_database(const test::ScratchRepository& scratch) {
  return MetadataDb::open(scratch.directory.path() / "cache", {.families = {"metadata"}}).value();
}

/// Puts a page and makes it part of the repository.
PageId publish_page(Repository& repository, MetadataCache* cache) {
  Upload upload(repository);
  RepositoryTreeStore trees(repository, cache, &upload);
  const PageId id = trees.put_page(test::page_of_names("n", 10)).value();
  REQUIRE(upload.finish());
  return id;
}

TEST_SUITE("store/repository_tree_store") {
  TEST_CASE("memory keeps trees as every store must") {
    MemoryTreeStore trees;
    test::check_tree_store(trees);
  }

  TEST_CASE("a repository keeps trees as every store must") {
    test::ScratchRepository scratch;
    Upload upload(*scratch);
    RepositoryTreeStore trees(*scratch, nullptr, &upload);
    test::check_tree_store(trees);
  }

  TEST_CASE("a repository with a cache, and almost no memory, keeps trees as every store must") {
    test::ScratchRepository scratch;
    MetadataDb database = open_database(scratch);
    DatabaseMetadataCache cache(database, 0);
    Upload upload(*scratch);
    RepositoryTreeStore trees(*scratch, &cache, &upload, 1);
    test::check_tree_store(trees);
  }

  TEST_CASE("what was published is read by a store without upload, which takes nothing new") {
    test::ScratchRepository scratch;
    const PageId id = publish_page(*scratch, nullptr);
    RepositoryTreeStore trees(*scratch, nullptr, nullptr);
    CHECK(trees.get_directory_page(id).value()->items.size() == 10);
    CHECK(trees.put_page(test::page_of_names("n", 10)).value() == id);
    CHECK(trees.pages_encoded() == 0);
    const auto refused = trees.put_page(test::page_of_names("m", 10));
    REQUIRE(!refused);
    CHECK(refused.error().code == EROFS);
    CHECK(refused.error().sat == Sat::kReadOnly);
  }

  TEST_CASE("a page that the repository has is not counted as encoded") {
    test::ScratchRepository scratch;
    const PageId id = publish_page(*scratch, nullptr);
    Upload upload(*scratch);
    RepositoryTreeStore trees(*scratch, nullptr, &upload);
    CHECK(trees.put_page(test::page_of_names("n", 10)).value() == id);
    CHECK(trees.pages_encoded() == 0);
    CHECK(upload.finish()->empty());
  }

  TEST_CASE("a tree once seen is read without the repository, from memory or the cache") {
    test::ScratchRepository scratch;
    MetadataDb database = open_database(scratch);
    DatabaseMetadataCache cache(database, 0);
    const PageId put_here = publish_page(*scratch, &cache);
    std::filesystem::rename(scratch.path().text, scratch.path().text + ".away");
    RepositoryTreeStore trees(*scratch, &cache, nullptr);
    CHECK(trees.get_directory_page(put_here));
    CHECK(trees.get_link_page({}).error().sat == Sat::kOffline);
  }

  TEST_CASE("wrong bytes in the cache are fetched anew and put right") {
    test::ScratchRepository scratch;
    MetadataDb database = open_database(scratch);
    DatabaseMetadataCache cache(database, 0);
    const PageId id = publish_page(*scratch, &cache);
    const EntryKey key = EntryKey::of(EntryType::kDirectoryPage, id);
    REQUIRE(cache.keep(key, as_bytes("rotten")));
    RepositoryTreeStore trees(*scratch, &cache, nullptr);
    CHECK(trees.get_directory_page(id).value()->items.size() == 10);
    CHECK(sha256(as_bytes(cache.find(key).value().value())) == id.bytes);
  }

  TEST_CASE("an entry with the right hash that is no page is a contradiction") {
    test::ScratchRepository scratch;
    const PageId id{sha256(as_bytes("not a page"))};
    Upload upload(*scratch);
    REQUIRE(upload.put(EntryKey::of(EntryType::kDirectoryPage, id), as_bytes("not a page")));
    RepositoryTreeStore trees(*scratch, nullptr, &upload);
    const auto page = trees.get_directory_page(id);
    REQUIRE(!page);
    CHECK(page.error().message.find(id.hex()) != std::string::npos);
  }
}

}  // namespace
}  // namespace satchel::store
