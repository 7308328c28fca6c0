// Repository: making and opening one, entries and index, and the directory going away. Commits:
// repository_refs_test.cpp. Crashes and full disks: repository_fault_test.cpp.
#include "store/repository.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/sha256.h"
#include "test/support/file_bytes.h"
#include "test/support/scratch_repository.h"

namespace satchel::store {
namespace {

template <typename Value>
void check_error(const Result<Value>& result, int code, Sat sat) {
  REQUIRE(!result);
  CHECK(result.error().code == code);
  CHECK(result.error().sat == sat);
}

EntryKey chunk_key(const ChunkId& id) {
  return EntryKey::of(EntryType::kChunk, id);
}

std::string text_of(Repository& repository, const ChunkId& id) {
  return std::string(as_text(repository.get(chunk_key(id)).value()));
}

std::string text_of(Repository&& repository, const ChunkId& id) {
  return text_of(repository, id);
}

std::size_t count_files(const std::string& directory) {
  return static_cast<std::size_t>(std::ranges::distance(
      std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator()));
}

TEST_SUITE("store/repository") {
  TEST_CASE("a new repository is what the format says, and opens with its id") {
    test::ScratchRepository scratch;
    CHECK(test::read_whole(scratch.path().text + "/format") ==
          "satchel repository 0\nid " + scratch->id().hex() +
              "\nnames sha256\nchunker fastcdc 4096 16384 131072\n");
    CHECK(std::filesystem::is_directory(scratch.path().text + "/packs/tmp"));
    CHECK(count_files(scratch.path().text + "/refs/tmp") == 0);
    CHECK(scratch->features().has_link);
    CHECK(scratch->features().is_writable);
    auto again = scratch.open("other").value();
    CHECK(again.id() == scratch->id());
    CHECK(again.path() == scratch.path());
  }

  TEST_CASE("a repository is made only where nothing is yet") {
    test::ScratchRepository scratch;
    const HostPath other = scratch.directory.path() / "a/b/repo";
    const auto create = [&] {
      return Repository::create(other, scratch.options("index2"), scratch.clock,
                                scratch.other_random, scratch.log);
    };
    SUBCASE("directories above it are made") {
      CHECK(create());
    }
    SUBCASE("there is a repository") {
      REQUIRE(create());
      check_error(create(), EEXIST, Sat::kAlreadyExists);
    }
    SUBCASE("there is a file") {
      std::filesystem::create_directories(other.text);
      test::write_whole(other.text + "/file", "");
      check_error(create(), EEXIST, Sat::kAlreadyExists);
    }
    SUBCASE("there are packs") {
      std::filesystem::create_directories(other.text + "/packs/ab");
      check_error(create(), EEXIST, Sat::kAlreadyExists);
    }
    SUBCASE("what an interrupted attempt left is no obstacle") {
      std::filesystem::create_directories(other.text + "/packs/tmp");
      test::write_whole(other.text + "/.satchel-tmp-1", "satchel");
      CHECK(create());
    }
  }

  TEST_CASE("what is no repository, or a newer one, is refused by name") {
    test::ScratchRepository scratch;
    const std::string format = scratch.path().text + "/format";
    const std::string good = test::read_whole(format);
    const auto open = [&] { return scratch.open("other"); };
    SUBCASE("no directory") {
      std::filesystem::remove_all(scratch.path().text);
      check_error(open(), ENOENT, Sat::kNotARepository);
    }
    SUBCASE("no format file") {
      std::filesystem::remove(format);
      check_error(open(), ENOENT, Sat::kNotARepository);
    }
    SUBCASE("a newer version") {
      test::write_whole(format, "satchel repository 9" + good.substr(20));
      check_error(open(), ENOTSUP, Sat::kNewerFormat);
      CHECK(open().error().message.find('9') != std::string::npos);
    }
    SUBCASE("an unknown line") {
      test::write_whole(format, good + "shiny new\n");
      check_error(open(), ENOTSUP, Sat::kNewerFormat);
      CHECK(open().error().message.find("shiny") != std::string::npos);
    }
    SUBCASE("cut short") {
      test::write_whole(format, good.substr(0, good.size() - 1));
      check_error(open(), EUCLEAN, Sat::kContradiction);
    }
    SUBCASE("no title") {
      test::write_whole(format, "x\n" + good);
      check_error(open(), EUCLEAN, Sat::kContradiction);
    }
    SUBCASE("an id that is none") {
      test::write_whole(format, "satchel repository 0\nid 12\n");
      check_error(open(), EUCLEAN, Sat::kContradiction);
      CHECK(open().error().path == format);
    }
    SUBCASE("no id") {
      test::write_whole(format, "satchel repository 0\nnames sha256\n");
      check_error(open(), EUCLEAN, Sat::kContradiction);
    }
  }

  TEST_CASE("entries are found by whoever opens the repository, before or after they came") {
    test::ScratchRepository scratch;
    auto before = scratch.open("before").value();
    CHECK(!before.has(chunk_key(scratch->name_chunk(as_bytes("one")))).value());
    const auto ids = scratch.put_chunks({"one", "two"});
    CHECK(text_of(before, ids[0]) == "one");
    auto after = scratch.open("after").value();
    CHECK(!after.locate(chunk_key(ids[1])).value());
    CHECK(after.has(chunk_key(ids[1])).value());
    CHECK(after.locate(chunk_key(ids[1])).value());
    CHECK(text_of(after, ids[1]) == "two");
    CHECK(after.content_bytes_read() == 3);
    CHECK(after.bytes_read() == 3);
    const auto found = after.has_many(
        {chunk_key(ids[0]), chunk_key(ChunkId{sha256(as_bytes("three"))}), chunk_key(ids[1])});
    CHECK(found.value() == std::vector<bool>{true, false, true});
  }

  TEST_CASE("an entry that is nowhere is kMissingContent") {
    test::ScratchRepository scratch;
    check_error(scratch->get({EntryType::kRoot, {}}), ENOENT, Sat::kMissingContent);
  }

  TEST_CASE("an index once made is used again without reading packs") {
    test::ScratchRepository scratch;
    const auto ids = scratch.put_chunks({"one"});
    { CHECK(text_of(scratch.open("kept").value(), ids[0]) == "one"); }
    const std::string pack = scratch.pack_paths().at(0);
    const std::string bytes = test::read_whole(pack);
    test::write_whole(pack, bytes.substr(0, bytes.size() - 1));  // its index cannot be read now
    CHECK(text_of(scratch.open("kept").value(), ids[0]) == "one");
    CHECK(!scratch.open("new")->has(chunk_key(ids[0])).value());
  }

  TEST_CASE("wrong bytes are EBADMSG with the pack's path, never content") {
    test::ScratchRepository scratch;
    const auto ids = scratch.put_chunks({"one"});
    const std::string pack = scratch.pack_paths().at(0);
    test::flip_byte(pack, 17);
    const auto raw = scratch->get(chunk_key(ids[0]));
    check_error(raw, EBADMSG, Sat::kCorrupted);
    CHECK(raw.error().path == pack);
    CHECK(raw.error().hint.find("satchel fsck") != std::string::npos);
  }

  TEST_CASE("verify knows what each type of entry must be") {
    test::ScratchRepository scratch;
    const Bytes raw = as_bytes("bytes");
    for (const EntryType type : {EntryType::kChunk, EntryType::kDirectoryPage, EntryType::kLinkPage,
                                 EntryType::kRecipePage, EntryType::kXattrSet, EntryType::kRoot}) {
      CAPTURE(to_text(type));
      CHECK(scratch->verify({type, sha256(raw)}, raw));
      check_error(scratch->verify({type, {}}, raw), EBADMSG, Sat::kCorrupted);
    }
    check_error(scratch->verify({EntryType::kRecipe, sha256(raw)}, raw), EBADMSG, Sat::kCorrupted);
  }

  TEST_CASE("a pack that has gone is forgotten, and its entries are taken from another one") {
    test::ScratchRepository scratch;
    const auto ids = scratch.put_chunks({"one", "only here"});
    const std::string first = scratch.pack_paths().at(0);
    CHECK(text_of(*scratch, ids[0]) == "one");
    // A second pack with one of the entries, as two devices make them at the same time.
    const std::string aside = scratch.directory.path().text + "/aside";
    std::filesystem::rename(first, aside);
    scratch.put_chunks({"one", "three"});
    std::filesystem::rename(aside, first);
    CHECK(text_of(*scratch, ids[1]) == "only here");
    std::filesystem::remove(first);
    REQUIRE(scratch->refresh());
    CHECK(text_of(*scratch, ids[0]) == "one");
    check_error(scratch->get(chunk_key(ids[1])), ENOENT, Sat::kMissingContent);
    CHECK(scratch->list_packs()->size() == 1);
  }

  TEST_CASE("files that are no packs are left alone") {
    test::ScratchRepository scratch;
    scratch.put_chunks({"one"});
    const std::string pack = scratch.pack_paths().at(0);
    test::write_whole(pack + ".fossil", "x");
    test::write_whole(scratch.path().text + "/packs/tmp/" + std::string(64, 'a'), "x");
    std::filesystem::create_directory(scratch.path().text + "/packs/zz");
    CHECK(scratch->list_packs()->size() == 1);
    CHECK(scratch->refresh());
  }

  TEST_CASE("a pack that cannot be read is left out and does not hide the others") {
    test::ScratchRepository scratch;
    const auto first = scratch.put_chunks({"one"});
    test::flip_byte(scratch.pack_paths().at(0), 30);
    const auto second = scratch.put_chunks({"two"});
    auto other = scratch.open("other").value();
    CHECK(text_of(other, second[0]) == "two");
    check_error(other.get(chunk_key(first[0])), ENOENT, Sat::kMissingContent);
  }

  TEST_CASE("an index that another opener holds is replaced by a private one") {
    test::ScratchRepository scratch;
    const auto ids = scratch.put_chunks({"one"});
    {
      auto second = scratch.open("index").value();
      CHECK(text_of(second, ids[0]) == "one");
      CHECK(count_files(scratch.directory.path().text) == 3);  // repo, index and the private one
    }
    CHECK(count_files(scratch.directory.path().text) == 2);
  }

  TEST_CASE("a damaged index is made anew") {
    test::ScratchRepository scratch;
    const auto ids = scratch.put_chunks({"one"});
    { CHECK(text_of(scratch.open("kept").value(), ids[0]) == "one"); }
    const std::string directory =
        scratch.directory.path().text + "/kept/" + scratch->id().hex() + "/";
    test::write_whole(directory + "CURRENT", "nonsense");
    CHECK(text_of(scratch.open("kept").value(), ids[0]) == "one");
    REQUIRE(scratch->rebuild_index());
    CHECK(text_of(*scratch, ids[0]) == "one");
  }

  TEST_CASE("errors are explained by the repository only where they are its own") {
    test::ScratchRepository scratch;
    const Error full{.code = ENOSPC, .sat = Sat::kNoSpace};
    CHECK(scratch->explain(full).path == scratch.path().text);
    Error of_index = full;
    of_index.path = "/elsewhere/index";
    CHECK(scratch->explain(of_index) == of_index);
    CHECK(scratch->explain({.code = EROFS}).sat == Sat::kReadOnly);
    CHECK(scratch->explain({.code = EIO, .sat = Sat::kIo}).sat == Sat::kIo);
  }

  TEST_CASE("a repository that went away is kOffline, and is used again when it is back") {
    test::ScratchRepository scratch;
    const auto ids = scratch.put_chunks({"one"});
    CHECK(text_of(*scratch, ids[0]) == "one");
    const std::string away = scratch.directory.path().text + "/away";
    std::filesystem::rename(scratch.path().text, away);
    const auto check_offline = [&] {
      check_error(scratch->get(chunk_key(ids[0])), ENETUNREACH, Sat::kOffline);
      check_error(scratch->has(chunk_key(ids[0])), ENETUNREACH, Sat::kOffline);
      check_error(scratch->list_names(RefKind::kUser), ENETUNREACH, Sat::kOffline);
      check_error(scratch->head(RefName::user("ada").value()), ENETUNREACH, Sat::kOffline);
      check_error(scratch->list_packs(), ENETUNREACH, Sat::kOffline);
      check_error(scratch->refresh(), ENETUNREACH, Sat::kOffline);
      check_error(scratch->start_pack(), ENETUNREACH, Sat::kOffline);
      CHECK(scratch->get(chunk_key(ids[0])).error().path == scratch.path().text);
    };
    SUBCASE("nothing is there") {
      check_offline();
    }
    SUBCASE("an empty mount point is there") {
      std::filesystem::create_directory(scratch.path().text);
      check_offline();
      std::filesystem::remove(scratch.path().text);
    }
    SUBCASE("another repository is there") {
      REQUIRE(Repository::create(scratch.path(), scratch.options("index2"), scratch.clock,
                                 scratch.other_random, scratch.log));
      check_error(scratch->get(chunk_key(ids[0])), EUCLEAN, Sat::kWrongRepository);
      std::filesystem::remove_all(scratch.path().text);
    }
    std::filesystem::rename(away, scratch.path().text);
    CHECK(text_of(*scratch, ids[0]) == "one");
    SUBCASE("a copy with the same id is the same repository") {
      std::filesystem::copy(scratch.path().text, away, std::filesystem::copy_options::recursive);
      std::filesystem::remove_all(scratch.path().text);
      std::filesystem::rename(away, scratch.path().text);
      CHECK(text_of(*scratch, ids[0]) == "one");
    }
  }
}

}  // namespace
}  // namespace satchel::store
