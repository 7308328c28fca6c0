#include "base/path.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>

namespace satchel {
namespace {

RelativePath path_of(std::string_view text) {
  Result<RelativePath> path = RelativePath::parse(text);
  REQUIRE(path);
  return *std::move(path);
}

TEST_SUITE("base/path") {
  TEST_CASE("a name may hold any byte save slash and zero") {
    const std::string rows[] = {
        "a", "...", " ", "-rf", "\xFF\xFE", "new\nline", std::string(255, 'x')};
    for (const std::string& row : rows) {
      CAPTURE(row);
      const Result<Name> name = Name::parse(row);
      REQUIRE(name);
      CHECK(name->text() == row);
      CHECK(Name::checked(row) == *name);
    }
  }

  TEST_CASE("what cannot be a directory entry is no name") {
    struct Row {
      std::string text;
      int code;
    };
    const Row rows[] = {{"", EINVAL},
                        {".", EINVAL},
                        {"..", EINVAL},
                        {"a/b", EINVAL},
                        {"/", EINVAL},
                        {std::string("a\0b", 3), EINVAL},
                        {std::string(256, 'x'), ENAMETOOLONG}};
    for (const Row& row : rows) {
      CAPTURE(row.text);
      const Result<Name> name = Name::parse(row.text);
      REQUIRE_FALSE(name);
      CHECK(name.error().code == row.code);
    }
  }

  TEST_CASE("names order bytewise, as trees need it") {
    CHECK((Name::checked("Z") <=> Name::checked("a")) < 0);
    CHECK((Name::checked("a") <=> Name::checked("\xC3\xA4")) < 0);
  }

  TEST_CASE("a path drops needless slashes and refuses to climb") {
    struct Row {
      std::string text;
      std::string expected;
    };
    const Row rows[] = {{"", ""},        {"/", ""},        {"//", ""},   {"a", "a"},
                        {"/a/b", "a/b"}, {"a//b/", "a/b"}, {".a", ".a"}, {"...", "..."}};
    for (const Row& row : rows) {
      CAPTURE(row.text);
      CHECK(path_of(row.text).text() == row.expected);
    }
    for (const std::string climbing : {"..", "a/../b", ".", "./a", "a/."}) {
      CAPTURE(climbing);
      const Result<RelativePath> path = RelativePath::parse(climbing);
      REQUIRE_FALSE(path);
      CHECK(path.error().code == EINVAL);
    }
    CHECK(RelativePath::parse("a/" + std::string(256, 'x')).error().code == ENAMETOOLONG);
    CHECK(RelativePath::parse(std::string("a\0b", 3)).error().code == EINVAL);
  }

  TEST_CASE("the root is its own parent and contains everything") {
    const RelativePath root;
    CHECK(root.is_root());
    CHECK(root.parent() == root);
    CHECK(root.names().empty());
    CHECK(root.absolute() == "/");
    CHECK(path_of("a/b").is_within(root));
    CHECK(root.is_within(root));
    CHECK_FALSE(root.is_within(path_of("a")));
  }

  TEST_CASE("paths are built and taken apart by names") {
    const RelativePath path = RelativePath{} / Name::checked("a") / Name::checked("b c");
    CHECK(path == path_of("/a/b c"));
    CHECK(path.absolute() == "/a/b c");
    CHECK(path.name() == Name::checked("b c"));
    CHECK(path.parent() == path_of("a"));
    CHECK(path.parent().parent().is_root());
    REQUIRE(path.names().size() == 2);
    CHECK(path.names()[0] == Name::checked("a"));
    CHECK(path.names()[1] == Name::checked("b c"));
  }

  TEST_CASE("a path is within another by names, not by letters") {
    CHECK(path_of("a/b").is_within(path_of("a")));
    CHECK(path_of("a").is_within(path_of("a")));
    CHECK_FALSE(path_of("ab").is_within(path_of("a")));
    CHECK_FALSE(path_of("a").is_within(path_of("a/b")));
  }

  TEST_CASE("what is shown has no control bytes and can be read back") {
    struct Row {
      std::string bytes;
      std::string expected;
    };
    const Row rows[] = {{"plain name.txt", "plain name.txt"},
                        {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
                        {"\x1b[31m", "\\033[31m"},
                        {std::string("\0"
                                     "1",
                                     2),
                         "\\0001"},
                        {"\x7f", "\\177"},
                        {"say \"it's\" \\o/", "say \\\"it\\'s\\\" \\\\o/"},
                        {"Gr\xC3\xBC\xC3\x9F"
                         "e",
                         "Gr\xC3\xBC\xC3\x9F"
                         "e"},
                        // U+009B begins an escape sequence on its own; U+00A0 does not.
                        {"\xC2\x9B"
                         "31m",
                         "\\302\x9B"
                         "31m"},
                        {"\xC2\xA0", "\xC2\xA0"}};
    for (const Row& row : rows) {
      CAPTURE(row.expected);
      CHECK(escape_for_display(row.bytes) == row.expected);
    }
    std::ostringstream shown;
    shown << Name::checked("a\nb") << ' ' << path_of("x\ny") << ' ' << HostPath{"/h\n"};
    CHECK(shown.str() == "a\\nb /x\\ny /h\\n");
  }

  TEST_CASE("host paths join with a slash") {
    CHECK((HostPath{"/srv"} / "repo").text == "/srv/repo");
  }
}

}  // namespace
}  // namespace satchel
