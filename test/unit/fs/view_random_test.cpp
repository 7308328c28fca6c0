// The same random operations on a view and on a plain directory: same answers, same trees.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdio>

#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

using satchel::test::SeededRandom;

/// One random operation, as text and as what it does to a side.
struct Operation {
  std::string text;
  std::function<int(Side&)> run;
};

class Operations {
 public:
  /// `reach`: up to where files are written.
  Operations(std::uint64_t seed, unsigned reach) : random_(seed), reach_(reach) {}

  Operation next() {
    const unsigned reach = reach_;
    const std::string one = path();
    const std::string two = path();
    const auto number = static_cast<unsigned>(random_.below(100'000));
    const std::string bytes(1 + number % 3000, static_cast<char>('a' + number % 26));
    const unsigned flags = random_.one_in(4)   ? RENAME_EXCHANGE
                           : random_.one_in(4) ? RENAME_NOREPLACE
                                               : 0;
    const mode_t mode = number % 01000;
    switch (random_.below(16)) {
      case 0:
      case 1:
        return {"create " + one, [=](Side& s) { return s.make_file(one, mode); }};
      case 2:
        return {"mkdir " + one, [=](Side& s) { return s.make_directory(one, 0700 | mode); }};
      case 3:
        return {"symlink " + one, [=](Side& s) { return s.make_symlink(one, two); }};
      case 4:
        return {"mkfifo " + one, [=](Side& s) { return s.make_fifo(one, mode); }};
      case 5:
        return {"write " + one, [=](Side& s) { return write(s, one, number % reach, bytes); }};
      case 6:
        return {"append " + one, [=](Side& s) { return append(s, one, bytes); }};
      case 7:
        return {"truncate " + one, [=](Side& s) { return truncate(s, one, number % reach); }};
      case 8:
        return {"unlink " + one, [=](Side& s) { return s.unlink(one); }};
      case 9:
        return {"rmdir " + one, [=](Side& s) { return s.remove_directory(one); }};
      case 10:
        return {"link " + one + " " + two, [=](Side& s) { return s.link(one, two); }};
      case 11:
      case 12:
      case 13:
        return {"rename " + one + " " + two + " " + std::to_string(flags),
                [=](Side& s) { return s.rename(one, two, flags); }};
      case 14:
        return {"chmod " + one, [=](Side& s) { return chmod(s, one, mode); }};
      default:
        return {"setxattr " + one, [=](Side& s) {
                  return is_kind(s, one, S_IFLNK) || is_kind(s, one, S_IFIFO)
                             ? 0
                             : s.set_xattr(one, "user.r", std::to_string(number));
                }};
    }
  }

 private:
  std::string path() {
    static const char* const kNames[] = {"dir", "sub", "deep",  "file", "a",   "b",
                                         "c",   "a2",  "empty", "void", "new", "link"};
    std::string path;
    const auto depth = 1 + random_.below(3);
    for (std::uint64_t i = 0; i < depth; ++i) {
      if (!path.empty()) path += '/';
      path += kNames[random_.below(std::size(kNames))];
    }
    return path;
  }

  // The view is asked below the kernel, which follows symlinks and refuses what is no file: so
  // these operations are left out where the kernel would do something of its own.
  static bool is_kind(Side& side, const std::string& path, mode_t type) {
    if (auto* workspace = dynamic_cast<Workspace*>(&side)) {
      const auto found = workspace->find(path);
      return found && (found->stat.mode & S_IFMT) == type;
    }
    struct stat found {};
    const std::string host = dynamic_cast<PlainDirectory&>(side).path() + "/" + path;
    return ::lstat(host.c_str(), &found) == 0 && (found.st_mode & S_IFMT) == type;
  }
  static bool is_file(Side& side, const std::string& path) { return is_kind(side, path, S_IFREG); }
  static int write(Side& side, const std::string& path, unsigned offset, const std::string& bytes) {
    return is_file(side, path) ? side.write(path, offset, bytes) : 0;
  }
  static int append(Side& side, const std::string& path, const std::string& bytes) {
    return is_file(side, path) ? side.append(path, bytes) : 0;
  }
  static int truncate(Side& side, const std::string& path, unsigned size) {
    return is_file(side, path) ? side.truncate(path, size) : 0;
  }
  static int chmod(Side& side, const std::string& path, mode_t mode) {
    return is_kind(side, path, S_IFLNK) ? 0 : side.change_mode(path, mode | S_IRWXU);
  }

  SeededRandom random_;
  unsigned reach_;
};

/// Symlinks on the way are the kernel's to follow: a path through one ends differently below it.
bool leads_through_symlink(PlainDirectory& plain, const std::string& text) {
  std::string path = plain.path();
  std::size_t at = 0;
  for (;;) {
    const auto end = text.find('/', at);
    if (end == std::string::npos) return false;
    path += "/" + text.substr(at, end - at);
    struct stat found {};
    if (::lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode)) return true;
    at = end + 1;
  }
}

bool is_comparable(PlainDirectory& plain, const std::string& operation) {
  std::size_t at = operation.find(' ');
  while (at != std::string::npos) {
    const auto end = operation.find(' ', at + 1);
    if (leads_through_symlink(plain, operation.substr(at + 1, end - at - 1))) return false;
    at = end;
  }
  return true;
}

enum class Between { kReopen, kCrash, kCommit, kCommitLate };

enum class Copies { kWhole, kBlocks };

constexpr unsigned kShortReach = 5000;
constexpr unsigned kLongReach = 50'000;

/// Files of several blocks, the last of them cut.
void fill_large(PlainDirectory& plain) {
  for (const char* name : {"a", "b", "c", "new"}) {
    std::string bytes;
    while (bytes.size() < kLongReach) bytes += name + std::to_string(bytes.size()) + "\n";
    REQUIRE(plain.make_file(name, 0644) == 0);
    REQUIRE(plain.write(name, 0, bytes) == 0);
  }
}

void run(std::uint64_t seed, int steps, Between between, Copies copies = Copies::kWhole) {
  CAPTURE(seed);
  PlainDirectory plain;
  copies == Copies::kBlocks ? fill_large(plain) : fill(plain);
  Workspace workspace(plain.fd());
  if (copies == Copies::kBlocks) {
    workspace.copy_blocks_from(1);
    workspace.reopen();
  }
  Operations operations(seed, copies == Copies::kBlocks ? kLongReach : kShortReach);
  std::string last;
  std::optional<store::BaseSwitch> sealed;
  for (int step = 0; step < steps; ++step) {
    const Operation operation = operations.next();
    if (!is_comparable(plain, operation.text)) continue;
    workspace.clock().advance_seconds(1);
    const int expected = operation.run(plain);
    const int found = operation.run(workspace);
    last += operation.text + " -> " + std::to_string(found) + "\n";
    CAPTURE(last);
    REQUIRE(found == expected);
    const bool is_break = step % 47 == 46;
    if (is_break && between == Between::kReopen) workspace.reopen();
    if (is_break && between == Between::kCrash) workspace.reopen(/*crash=*/true);
    if (is_break && between == Between::kCommit) {
      last += "commit\n";
      workspace.commit();
      REQUIRE(workspace.view().counts()->dirty_files == 0);
      REQUIRE(workspace.view().seal()->nodes.size() == 1);
    }
    // What changes between seal and switch stays, and nothing of it is seen.
    if (between == Between::kCommitLate && step % 47 == 30) {
      last += "seal\n";
      sealed = workspace.seal();
    }
    if (is_break && sealed) {
      last += "switch\n";
      REQUIRE(workspace.view().switch_base(*sealed).has_value());
      sealed.reset();
    }
    if (is_break || step % 25 == 24) {
      REQUIRE(differences(plain.list(), workspace.list()) == "");
      last.clear();
    }
  }
  CHECK(differences(plain.list(), workspace.list()) == "");
}

TEST_SUITE("fs/view: random operations") {
  TEST_CASE("the view and a plain directory answer alike") {
    const mode_t old_mask = ::umask(0);
    const std::uint64_t seed = satchel::test::test_seed(7);
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    for (std::uint64_t i = 0; i < 4; ++i) run(seed + i, 600, Between::kReopen);
    ::umask(old_mask);
  }

  TEST_CASE("a commit of everything leaves no row behind and is not seen") {
    const mode_t old_mask = ::umask(0);
    const std::uint64_t seed = satchel::test::test_seed(2007);
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    for (std::uint64_t i = 0; i < 3; ++i) run(seed + i, 400, Between::kCommit);
    ::umask(old_mask);
  }

  TEST_CASE("a commit while changes go on is not seen") {
    const mode_t old_mask = ::umask(0);
    const std::uint64_t seed = satchel::test::test_seed(3007);
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    for (std::uint64_t i = 0; i < 3; ++i) run(seed + i, 400, Between::kCommitLate);
    ::umask(old_mask);
  }

  TEST_CASE("files that are copied block by block are files like others") {
    const mode_t old_mask = ::umask(0);
    const std::uint64_t seed = satchel::test::test_seed(4007);
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    for (const Between between :
         {Between::kReopen, Between::kCrash, Between::kCommit, Between::kCommitLate}) {
      for (std::uint64_t i = 0; i < 2; ++i) run(seed + i, 400, between, Copies::kBlocks);
    }
    ::umask(old_mask);
  }

  TEST_CASE("the view is the same after a crash") {
    const mode_t old_mask = ::umask(0);
    const std::uint64_t seed = satchel::test::test_seed(1007);
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    for (std::uint64_t i = 0; i < 2; ++i) run(seed + i, 400, Between::kCrash);
    ::umask(old_mask);
  }
}

}  // namespace
}  // namespace satchel::fs::test
