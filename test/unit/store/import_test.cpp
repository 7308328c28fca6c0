#include "store/import/importer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "store/content_id.h"
#include "store/diff.h"
#include "store/directory.h"
#include "store/links.h"
#include "test/support/file_bytes.h"
#include "test/support/scratch_repository.h"

namespace satchel::store {
namespace {

namespace files = std::filesystem;

/// A repository, and a directory to import.
struct Import {
  /// With everything that was put published.
  ImportResult run(const ImportOptions& options = {}) {
    Upload upload(*repository);
    RepositoryTreeStore writing(*repository, nullptr, &upload);
    auto result = import_directory(source.path(), upload, writing, options);
    REQUIRE(result.has_value());
    REQUIRE(upload.finish());
    counts = upload.counts();
    return *std::move(result);
  }
  Error run_failing(const ImportOptions& options = {}) {
    Upload upload(*repository);
    RepositoryTreeStore writing(*repository, nullptr, &upload);
    const auto result = import_directory(source.path(), upload, writing, options);
    REQUIRE_FALSE(result.has_value());
    return result.error();
  }
  Entry entry(const Root& root, const std::string& path) {
    auto found = find_path(trees, root, RelativePath::parse(path).value()).value();
    REQUIRE_MESSAGE(found.has_value(), path);
    return *std::move(found);
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return source.path().text + "/" + name;
  }
  void write(const std::string& name, const std::string& bytes) const {
    test::write_whole(path(name), bytes);
  }
  void make_directory(const std::string& name) const { files::create_directories(path(name)); }
  void link(const std::string& to, const std::string& name) const {
    files::create_hard_link(path(to), path(name));
  }

  test::ScratchRepository repository;
  test::TempDir source;
  RepositoryTreeStore trees{*repository, nullptr, nullptr};
  UploadCounts counts;
};

void set_mtime(const std::string& path, time_t seconds, long nanoseconds) {
  const timespec times[] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

std::vector<std::string> paths_of(TreeStore& trees, const Root& root) {
  std::vector<std::string> paths;
  REQUIRE(walk_tree(trees, root, [&](const RelativePath& path, const Entry&) -> Result<void> {
    paths.push_back(path.text());
    return {};
  }));
  return paths;
}

}  // namespace

TEST_SUITE("store/import") {
  TEST_CASE("every kind of file becomes an entry with its attributes") {
    Import import;
    import.make_directory("d/e");
    import.write("d/file", "hello");
    import.write("empty", "");
    files::permissions(import.path("d/file"), files::perms(04751));
    set_mtime(import.path("d/file"), 1'234'567'890, 123'456'789);
    set_mtime(import.path("d/e"), -86'400, 5);
    files::create_symlink("../no/where", import.path("d/link"));
    REQUIRE(::mkfifo(import.path("fifo").c_str(), 0600) == 0);
    const int socket_fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    import.path("socket").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    (void)::close(socket_fd);

    const ImportResult result = import.run();
    CHECK(result.files == 5);
    CHECK(result.directories == 2);
    CHECK(result.bytes == 5);
    CHECK(result.warnings.empty());
    CHECK(result.root.is_tree());
    CHECK(paths_of(import.trees, result.root) ==
          std::vector<std::string>{"d", "d/e", "d/file", "d/link", "empty", "fifo", "socket"});
    const Entry file = import.entry(result.root, "d/file");
    CHECK(file.kind == Kind::kFile);
    CHECK(file.content == content_id_of(as_bytes("hello")));
    CHECK(file.attributes.mode == 04751);
    CHECK(file.attributes.uid == ::geteuid());
    CHECK(file.attributes.mtime == Timestamp{1'234'567'890, 123'456'789});
    CHECK_FALSE(file.file_id);
    const Entry directory = import.entry(result.root, "d/e");
    CHECK(directory.attributes.mtime == Timestamp{-86'400, 5});
    CHECK(directory.mark == DirectoryMark::kNone);
    CHECK(import.entry(result.root, "empty").content.is_empty());
    CHECK(import.entry(result.root, "d/link").target == "../no/where");
    CHECK(import.entry(result.root, "fifo").kind == Kind::kFifo);
    CHECK(import.entry(result.root, "socket").kind == Kind::kSocket);
  }

  // An overlayfs upper is imported as what it is on the disk, not as what it means.
  TEST_CASE("devices are kept, the whiteouts of overlayfs too") {
    if (::geteuid() != 0) return;  // only root makes devices
    Import import;
    REQUIRE(::mknod(import.path("null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)) == 0);
    REQUIRE(::mknod(import.path("whiteout").c_str(), S_IFCHR, ::makedev(0, 0)) == 0);
    REQUIRE(::mknod(import.path("loop").c_str(), S_IFBLK, ::makedev(7, 300)) == 0);
    const ImportResult result = import.run();
    CHECK(import.entry(result.root, "null").device == DeviceNumber{1, 3});
    CHECK(import.entry(result.root, "whiteout").kind == Kind::kCharDevice);
    CHECK(import.entry(result.root, "whiteout").device == DeviceNumber{0, 0});
    CHECK(import.entry(result.root, "loop").kind == Kind::kBlockDevice);
    CHECK(import.entry(result.root, "loop").device == DeviceNumber{7, 300});
  }

  TEST_CASE("the same tree again gives the same root and no chunk, by any number of threads") {
    Import import;
    for (int directory = 0; directory < 20; ++directory) {
      const std::string name = "d" + std::to_string(directory);
      import.make_directory(name + "/below");
      for (int file = 0; file < 30; ++file) {
        import.write(name + "/below/f" + std::to_string(file), name + std::to_string(file));
      }
    }
    import.write("large", std::string(3'000'000, 'x'));
    const ImportResult first = import.run();
    CHECK(first.files == 601);
    for (const unsigned threads : {1U, 2U, 7U}) {
      CAPTURE(threads);
      ImportOptions options;
      options.threads = threads;
      CHECK(import.run(options).root == first.root);
      CHECK(import.counts.entries_new == 0);
    }
    import.write("d3/below/f7", "changed");
    CHECK_FALSE(import.run().root == first.root);
    CHECK(import.counts.chunks_new == 1);
  }

  TEST_CASE("names of one inode are linked, by the first of them as bytes go") {
    Import import;
    import.make_directory("a/b");
    import.make_directory("a-b");  // '-' is below '/', so a-b/x comes before a/x
    import.write("a/x", "shared");
    import.link("a/x", "a-b/x");
    import.link("a/x", "a/b/y");
    import.write("a/alone", "shared");
    const ImportResult result = import.run();
    CHECK(result.files == 4);
    CHECK(result.bytes == 12);

    const FileId directory_id = default_file_id(root_file_id(), Name::checked("a-b"));
    const FileId expected = default_file_id(directory_id, Name::checked("x"));
    CHECK(find_links(import.trees, result.root.links, expected).value() ==
          std::vector<std::string>{"a-b/x", "a/b/y", "a/x"});
    CHECK(list_links(import.trees, result.root.links).value().size() == 3);
    Entry first = import.entry(result.root, "a-b/x");
    CHECK(first.linked);
    CHECK(first.file_id == expected);
    for (const char* const path : {"a/x", "a/b/y"}) {
      Entry other = import.entry(result.root, path);
      other.name = first.name;
      CHECK(other == first);
    }
    CHECK_FALSE(import.entry(result.root, "a/alone").linked);
    CHECK(import.run().root == result.root);
    CHECK(import.counts.entries_new == 0);
  }

  TEST_CASE("a file whose other names are elsewhere is not linked") {
    Import import;
    import.make_directory("in");
    import.write("in/x", "shared");
    test::TempDir elsewhere;
    files::create_hard_link(import.path("in/x"), elsewhere.path().text + "/x");
    const ImportResult linked = import.run();
    CHECK_FALSE(import.entry(linked.root, "in/x").linked);
    CHECK_FALSE(import.entry(linked.root, "in/x").file_id);
    CHECK(linked.root.links.is_none());
    files::remove(elsewhere.path().text + "/x");
    CHECK(import.run().root == linked.root);
  }

  TEST_CASE("extended attributes are kept, access lists as theirs") {
    Import import;
    import.write("file", "x");
    import.make_directory("directory");
    if (::setxattr(import.path("file").c_str(), "user.k", "v\0w", 3, 0) != 0) return;  // no xattrs
    REQUIRE(::setxattr(import.path("directory").c_str(), "user.long", std::string(1000, 'v').data(),
                       1000, 0) == 0);
    const ImportResult result = import.run();
    const auto of = [&](const std::string& path) {
      return read_xattrs(import.trees, import.entry(result.root, path).attributes.xattrs).value();
    };
    CHECK(of("file").at("user.k") == std::string("v\0w", 3));
    CHECK(of("directory").at("user.long") == std::string(1000, 'v'));
    CHECK_FALSE(import.entry(result.root, "directory").attributes.xattrs.object.is_none());
  }

  TEST_CASE("holes cost nothing") {
    Import import;
    import.write("sparse", "data");
    files::resize_file(import.path("sparse"), std::uintmax_t{1} << 34U);
    const ImportResult result = import.run();
    CHECK(result.bytes == std::uint64_t{1} << 34U);
    CHECK(import.counts.raw_bytes_new < 1'000'000);
  }

  TEST_CASE("a layer that inherits marks every directory, and its root has no attributes") {
    Import import;
    import.make_directory("a/b");
    files::permissions(import.source.path().text, files::perms(0700));
    ImportOptions options;
    options.directory_attributes = DirectoryAttributes::kInherit;
    const ImportResult result = import.run(options);
    CHECK(result.root.mark == DirectoryMark::kInherit);
    CHECK(result.root.attributes == empty_layer().attributes);
    CHECK(import.entry(result.root, "a").mark == DirectoryMark::kInherit);
    CHECK(import.entry(result.root, "a/b").mark == DirectoryMark::kInherit);
    CHECK(import.run().root.attributes.mode == 0700);
  }

  TEST_CASE("an empty directory is an empty tree") {
    Import import;
    const ImportResult result = import.run();
    CHECK(result.files == 0);
    CHECK(result.root.directory.page == empty_directory_page());
  }

  TEST_CASE("a file that keeps changing is busy") {
    Import import;
    import.write("log", std::string(4'000'000, 'x'));
    std::atomic<bool> stop = false;
    std::thread writer([&] {
      const int fd = ::open(import.path("log").c_str(), O_WRONLY | O_CLOEXEC);
      for (off_t offset = 0; !stop; offset = (offset + 1) % 1000) {
        (void)!::pwrite(fd, "y", 1, offset);
      }
      (void)::close(fd);
    });
    const Error error = import.run_failing();
    stop = true;
    writer.join();
    CHECK(error.sat == Sat::kBusyFile);
    CHECK(error.path == import.path("log"));
  }

  TEST_CASE("errors name the path") {
    Import import;
    Upload upload(*import.repository);
    RepositoryTreeStore writing(*import.repository, nullptr, &upload);
    const auto absent = import_directory(import.source.path() / "absent", upload, writing, {});
    CHECK(absent.error().code == ENOENT);
    CHECK(absent.error().path == import.path("absent"));
    import.write("file", "x");
    const auto no_directory = import_directory(import.source.path() / "file", upload, writing, {});
    CHECK(no_directory.error().code == ENOTDIR);
  }

  TEST_CASE("a directory that may not be read is named") {
    Import import;
    import.make_directory("open/closed");
    files::permissions(import.source.path().text, files::perms(0755));
    files::permissions(import.path("open/closed"), files::perms::none);
    Error error;
    std::thread([&] {
      // The system call, unlike the library's function, changes this thread alone.
      constexpr uid_t kNobody = 65'534;
      if (::geteuid() == 0) REQUIRE(::syscall(SYS_setresuid, -1, kNobody, -1) == 0);
      error = import.run_failing();
    }).join();
    CHECK(error.code == EACCES);
    CHECK(error.path == import.path("open/closed"));
  }

  TEST_CASE("an interrupted import ends at once") {
    Import import;
    for (int file = 0; file < 300; ++file) import.write(std::to_string(file), "x");
    std::atomic<int> asked = 0;
    ImportOptions options;
    options.interrupted = [&] { return ++asked > 100; };
    CHECK(import.run_failing(options).sat == Sat::kInterrupted);
    CHECK(asked == 101);
    CHECK(import.repository.pack_paths().empty());
  }

  TEST_CASE("progress comes at most ten times a second, from the caller's thread") {
    Import import;
    for (int file = 0; file < 300; ++file) import.write(std::to_string(file), "x");
    const auto start = std::chrono::steady_clock::now();
    const std::thread::id caller = std::this_thread::get_id();
    int reports = 0;
    ImportProgress last;
    ImportOptions options;
    options.progress = [&](const ImportProgress& progress) {
      CHECK(std::this_thread::get_id() == caller);
      last = progress;
      ++reports;
    };
    (void)import.run(options);
    const auto tenths = (std::chrono::steady_clock::now() - start) / std::chrono::milliseconds(100);
    CHECK(reports >= 1);
    CHECK(reports <= tenths + 1);
    CHECK(last.files <= 300);
  }
}

}  // namespace satchel::store
