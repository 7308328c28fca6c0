#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/file_io.h"
#include "store/archive_reader.h"
#include "store/content_id.h"
#include "store/diff.h"
#include "store/directory.h"
#include "store/import/importer.h"
#include "store/links.h"
#include "store/posix_acl.h"
#include "test/support/file_bytes.h"
#include "test/support/scratch_repository.h"
#include "test/support/tar_builder.h"

namespace satchel::store {
namespace {

namespace files = std::filesystem;
using test::CpioBuilder;
using test::TarBuilder;

struct ArchiveImport {
  Result<ImportResult> run(int fd, const ImportOptions& options = {}) {
    Upload upload(*repository);
    RepositoryTreeStore writing(*repository, nullptr, &upload);
    auto result = import_archive(fd, upload, writing, options);
    if (result) REQUIRE(upload.finish());
    counts = upload.counts();
    return result;
  }
  Result<ImportResult> run(const std::string& bytes, const ImportOptions& options = {}) {
    const std::string path = directory.path().text + "/archive";
    test::write_whole(path, bytes);
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return run(fd.get(), options);
  }
  ImportResult run_directory(const test::TempDir& source) {
    Upload upload(*repository);
    RepositoryTreeStore writing(*repository, nullptr, &upload);
    auto result = import_directory(source.path(), upload, writing, {});
    REQUIRE(upload.finish());
    return result.value();
  }
  Error refuse(const std::string& bytes) {
    const auto result = run(bytes);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == EBADMSG);
    CHECK(result.error().sat == Sat::kBadArchive);
    return result.error();
  }
  Entry entry(const Root& root, const std::string& path) {
    auto found = find_path(trees, root, RelativePath::parse(path).value()).value();
    REQUIRE_MESSAGE(found.has_value(), path);
    return *std::move(found);
  }
  std::vector<std::string> paths(const Root& root) {
    std::vector<std::string> all;
    REQUIRE(walk_tree(trees, root, [&](const RelativePath& path, const Entry&) -> Result<void> {
      all.push_back(path.text());
      return {};
    }));
    return all;
  }

  test::ScratchRepository repository;
  test::TempDir directory;
  RepositoryTreeStore trees{*repository, nullptr, nullptr};
  UploadCounts counts;
};

ContentId content_of(const std::string& text) {
  return content_id_of(as_bytes(text));
}

/// Runs tar(1); false where there is none.
bool run_tar(const std::string& arguments) {
  return std::system(("tar " + arguments + " 2>/dev/null").c_str()) == 0;  // NOLINT: one thread
}

void set_mtime(const std::string& path, time_t seconds, long nanoseconds) {
  const timespec times[] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

/// A tree with what a plain tar can hold.
void fill(const test::TempDir& source) {
  const std::string root = source.path().text + "/";
  files::create_directories(root + "a/b");
  files::create_directories(root + "a-b");
  test::write_whole(root + "a/x", "shared");
  files::create_hard_link(root + "a/x", root + "a-b/x");
  files::create_hard_link(root + "a/x", root + "a/b/y");
  files::create_symlink("../x", root + "a/b/link");
  files::create_symlink("latin-\xE9", root + "latin-link");
  test::write_whole(root + "latin-\xE9", "a name that is not UTF-8");
  test::write_whole(root + "\xC3\xBCmlaut", "one that is");
  test::write_whole(root + std::string(200, 'n'), "a long name");
  test::write_whole(root + "empty", "");
  test::write_whole(root + "large", std::string(1'000'000, 'l'));
  REQUIRE(::mkfifo((root + "fifo").c_str(), 0600) == 0);
  files::permissions(root + "empty", files::perms(06755));
  for (const char* const name : {"a/x", "a/b/link", "latin-link", "latin-\xE9", "\xC3\xBCmlaut",
                                 "empty", "large", "fifo", "a/b", "a-b", "a", ""}) {
    set_mtime(root + name, 1'000'000'000, 0);
  }
  set_mtime(root + std::string(200, 'n'), 1'000'000'000, 0);
}

}  // namespace

TEST_SUITE("store/archive") {
  TEST_CASE("a tar of a directory is the same layer as the directory") {
    test::TempDir source;
    ArchiveImport import;
    fill(source);
    const std::string root = source.path().text + "/";
    const std::string archive = import.directory.path().text + "/tar";
    const Root expected = import.run_directory(source).root;
    for (const std::string format :
         {"--format=gnu", "--format=posix", "--format=gnu -z", "--format=posix --sort=name"}) {
      CAPTURE(format);
      if (!run_tar(format + " -C " + root + " -cf " + archive + " .")) return;  // no tar
      const UniqueFd fd(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
      const auto result = import.run(fd.get());
      REQUIRE(result.has_value());
      CHECK(import.paths(result->root) == import.paths(expected));
      CHECK(result->root == expected);
      CHECK(result->files == 11);
      CHECK(result->directories == 3);
      CHECK(result->warnings.empty());
      CHECK(import.counts.entries_new == 0);
    }
  }

  TEST_CASE("a pax tar keeps nanoseconds, xattrs, access lists and holes") {
    test::TempDir source;
    ArchiveImport import;
    fill(source);
    const std::string root = source.path().text + "/";
    set_mtime(root + "large", 1'234'567'890, 123'456'789);
    test::write_whole(root + "sparse", "data");
    files::resize_file(root + "sparse", 100'000'000);
    const std::string acl = encode_acl({{AclTag::kOwner, 0, 6},
                                        {AclTag::kUser, 1234, 7},
                                        {AclTag::kOwningGroup, 0, 4},
                                        {AclTag::kGroup, 5, 4},
                                        {AclTag::kMask, 0, 7},
                                        {AclTag::kOther, 0, 0}});
    const bool has_xattrs =
        ::setxattr((root + "empty").c_str(), "user.k", "v", 1, 0) == 0 &&
        ::setxattr((root + "large").c_str(), std::string(kAccessAclXattr).c_str(), acl.data(),
                   acl.size(), 0) == 0 &&
        ::setxattr((root + "a").c_str(), std::string(kDefaultAclXattr).c_str(), acl.data(),
                   acl.size(), 0) == 0;
    if (!has_xattrs) return;  // a filesystem without
    const std::string archive = import.directory.path().text + "/tar";
    if (!run_tar("--format=posix -S --xattrs --xattrs-include='*' --acls --numeric-owner -C " +
                 root + " -cf " + archive + " .")) {
      return;  // a tar without
    }
    const Root expected = import.run_directory(source).root;
    const UniqueFd fd(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
    const auto result = import.run(fd.get());
    REQUIRE(result.has_value());
    CHECK(import.entry(result->root, "large") == import.entry(expected, "large"));
    CHECK(import.entry(result->root, "large").attributes.mode == 0670);
    CHECK(import.entry(result->root, "sparse") == import.entry(expected, "sparse"));
    CHECK(result->root == expected);
    CHECK(import.counts.entries_new == 0);
  }

  TEST_CASE("an archive may come through a pipe") {
    ArchiveImport import;
    const std::string bytes = TarBuilder()
                                  .add(TarBuilder::kFile, "small", "hello")
                                  .add(TarBuilder::kFile, "large", std::string(700'000, 'x'))
                                  .whole();
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd reading(ends[0]);
    std::thread writer([&] {
      const UniqueFd writing(ends[1]);
      for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t wrote = ::write(writing.get(), bytes.data() + done, bytes.size() - done);
        if (wrote <= 0) return;
        done += static_cast<std::size_t>(wrote);
      }
    });
    const auto result = import.run(reading.get());
    writer.join();
    REQUIRE(result.has_value());
    CHECK(import.entry(result->root, "small").content == content_of("hello"));
    CHECK(import.entry(result->root, "large").content == content_of(std::string(700'000, 'x')));
  }

  TEST_CASE("members come in any order, and what is missing on the way is made") {
    ArchiveImport import;
    const auto result = import.run(TarBuilder()
                                       .add(TarBuilder::kFile, "z/deep/er/file", "z")
                                       .add(TarBuilder::kFile, "/absolute", "a")
                                       .add(TarBuilder::kFile, "././/dots/./file", "d")
                                       .add(TarBuilder::kDirectory, "z/deep/", "", "", 0700)
                                       .whole());
    REQUIRE(result.has_value());
    CHECK(import.paths(result->root) == std::vector<std::string>{"absolute", "dots", "dots/file",
                                                                 "z", "z/deep", "z/deep/er",
                                                                 "z/deep/er/file"});
    CHECK(import.entry(result->root, "z/deep").attributes.mode == 0700);
    const Attributes implied = import.entry(result->root, "z").attributes;
    CHECK(implied == Attributes{});
    CHECK(result->root.attributes == Attributes{});
    CHECK(result->files == 3);
    CHECK(result->directories == 4);
  }

  TEST_CASE("the last of a name counts") {
    ArchiveImport import;
    const auto result = import.run(TarBuilder()
                                       .add(TarBuilder::kFile, "file", "first")
                                       .add(TarBuilder::kHardLink, "link", "", "file")
                                       .add(TarBuilder::kFile, "file", "second")
                                       .add(TarBuilder::kFile, "d/kept", "k")
                                       .add(TarBuilder::kDirectory, "d", "", "", 0711)
                                       .add(TarBuilder::kFile, "gone/file", "g")
                                       .add(TarBuilder::kSymlink, "gone", "", "d")
                                       .whole());
    REQUIRE(result.has_value());
    CHECK(import.paths(result->root) ==
          std::vector<std::string>{"d", "d/kept", "file", "gone", "link"});
    CHECK(import.entry(result->root, "file").content == content_of("second"));
    CHECK(import.entry(result->root, "link").content == content_of("first"));
    CHECK_FALSE(import.entry(result->root, "link").linked);
    CHECK(import.entry(result->root, "d").attributes.mode == 0711);
    CHECK(import.entry(result->root, "gone").target == "d");
  }

  TEST_CASE("hard links of tar and of cpio are links") {
    ArchiveImport import;
    Root root;
    SUBCASE("tar") {
      root = import
                 .run(TarBuilder()
                          .add(TarBuilder::kFile, "b", "shared")
                          .add(TarBuilder::kHardLink, "a", "", "./b")
                          .add(TarBuilder::kHardLink, "c", "", "a")
                          .whole())
                 .value()
                 .root;
    }
    SUBCASE("tar with the bytes once more") {
      root = import
                 .run(TarBuilder()
                          .add(TarBuilder::kFile, "b", "other")
                          .add(TarBuilder::kHardLink, "a", "", "b")
                          .add(TarBuilder::kHardLink, "c", "", "b")
                          .add(TarBuilder::kFile, "b", "shared")
                          .add(TarBuilder::kHardLink, "a", "", "b")
                          .add(TarBuilder::kHardLink, "c", "", "b")
                          .whole())
                 .value()
                 .root;
    }
    SUBCASE("cpio") {
      root = import
                 .run(CpioBuilder()
                          .add("b", 0100644, 5, 3)
                          .add("a", 0100644, 5, 3)
                          .add("c", 0100644, 5, 3, "shared")
                          .whole())
                 .value()
                 .root;
    }
    const FileId id = default_file_id(root_file_id(), Name::checked("a"));
    CHECK(find_links(import.trees, root.links, id).value() ==
          std::vector<std::string>{"a", "b", "c"});
    for (const char* const name : {"a", "b", "c"}) {
      CAPTURE(name);
      CHECK(import.entry(root, name).linked);
      CHECK(import.entry(root, name).file_id == id);
      CHECK(import.entry(root, name).content == content_of("shared"));
    }
  }

  TEST_CASE("what leads out of the tree or nowhere is refused, and named") {
    struct Row {
      std::string what;
      std::string bytes;
      std::string path;
    };
    const Row rows[] = {
        {"upwards", TarBuilder().add(TarBuilder::kFile, "a/../../b").whole(), "a/../../b"},
        {"only upwards", TarBuilder().add(TarBuilder::kDirectory, "..").whole(), ".."},
        {"through a symbolic link",
         TarBuilder()
             .add(TarBuilder::kSymlink, "etc", "", "/etc")
             .add(TarBuilder::kFile, "etc/passwd", "x")
             .whole(),
         "etc/passwd"},
        {"through a file",
         TarBuilder().add(TarBuilder::kFile, "f").add(TarBuilder::kFile, "f/g").whole(), "f/g"},
        {"a hard link to nothing",
         TarBuilder().add(TarBuilder::kHardLink, "a", "", "missing").whole(), "a"},
        {"a hard link to a later member",
         TarBuilder().add(TarBuilder::kHardLink, "a", "", "b").add(TarBuilder::kFile, "b").whole(),
         "a"},
        {"a hard link to a directory",
         TarBuilder()
             .add(TarBuilder::kDirectory, "d")
             .add(TarBuilder::kHardLink, "a", "", "d")
             .whole(),
         "a"},
        {"a hard link upwards", TarBuilder().add(TarBuilder::kHardLink, "a", "", "../b").whole(),
         "a"},
        {"a root that is a file", TarBuilder().add(TarBuilder::kFile, "./").whole(), "./"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      ArchiveImport import;
      const auto result = import.run(row.bytes);
      // libarchive makes a directory of a file whose name ends with a slash.
      if (row.what == "a root that is a file" && result) continue;
      CHECK(import.refuse(row.bytes).path == row.path);
      CHECK(import.repository.pack_paths().empty());
    }
  }

  TEST_CASE("a cut archive is refused wherever it was cut") {
    ArchiveImport import;
    const std::string members = TarBuilder()
                                    .add(TarBuilder::kFile, "a", std::string(600, 'a'))
                                    .add(TarBuilder::kDirectory, "d")
                                    .add(TarBuilder::kFile, "d/b", "b")
                                    .members();
    for (std::size_t size = 0; size <= members.size(); size += 256) {
      CAPTURE(size);
      (void)import.refuse(members.substr(0, size));
    }
    CHECK(import.run(members + std::string(512, '\0')).has_value());
  }

  TEST_CASE("a cut compressed archive is refused") {
    ArchiveImport import;
    const std::string path = import.directory.path().text + "/tar.gz";
    test::TempDir source;
    fill(source);
    if (!run_tar("-C " + source.path().text + " -czf " + path + " .")) return;  // no tar
    const std::string bytes = test::read_whole(path);
    (void)import.refuse(bytes.substr(0, bytes.size() / 2));
    (void)import.refuse(bytes.substr(0, bytes.size() - 20));
  }

  TEST_CASE("what is no archive is refused") {
    ArchiveImport import;
    (void)import.refuse("");
    (void)import.refuse("hello");
    (void)import.refuse(std::string(10'000, 'x'));
  }

  // libarchive would read the host's files that an mtree names.
  TEST_CASE("an mtree is no archive") {
    ArchiveImport import;
    (void)import.refuse("#mtree\n./passwd type=file contents=/etc/passwd\n");
  }

  TEST_CASE("an archive that inherits marks every directory") {
    ArchiveImport import;
    ImportOptions options;
    options.directory_attributes = DirectoryAttributes::kInherit;
    const auto result = import.run(TarBuilder()
                                       .add(TarBuilder::kDirectory, ".", "", "", 0700)
                                       .add(TarBuilder::kFile, "a/b/c")
                                       .whole(),
                                   options);
    REQUIRE(result.has_value());
    CHECK(result->root.mark == DirectoryMark::kInherit);
    CHECK(result->root.attributes == empty_layer().attributes);
    CHECK(import.entry(result->root, "a/b").mark == DirectoryMark::kInherit);
  }

  TEST_CASE("an import from a pipe that nobody writes is interrupted") {
    ArchiveImport import;
    ImportOptions options;
    options.interrupted = [] { return true; };
    const auto result = import.run(TarBuilder().add(TarBuilder::kFile, "a").whole(), options);
    CHECK(result.error().code == EINTR);
    CHECK(result.error().sat == Sat::kInterrupted);
  }

  TEST_CASE("access lists have the kernel's bytes and order") {
    const std::vector<AclEntry> entries = {{AclTag::kOther, 0, 0},      {AclTag::kGroup, 7, 4},
                                           {AclTag::kOwner, 0, 6},      {AclTag::kUser, 9, 7},
                                           {AclTag::kUser, 3, 5},       {AclTag::kMask, 0, 5},
                                           {AclTag::kOwningGroup, 0, 4}};
    CHECK(to_hex(as_bytes(encode_acl(entries))) ==
          "02000000"
          "01000600ffffffff"
          "0200050003000000"
          "0200070009000000"
          "04000400ffffffff"
          "0800040007000000"
          "10000500ffffffff"
          "20000000ffffffff");
    CHECK(mode_of_acl(entries) == 0650);
  }
}

}  // namespace satchel::store
