#include "policies/pattern.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "policies/glob.h"

namespace satchel::policies {
namespace {

std::vector<std::string> texts_of(const std::string& text) {
  ParsedPattern parsed = parse_pattern(text);
  if (const auto* fault = std::get_if<PatternFault>(&parsed)) return {"FAULT " + fault->message};
  std::vector<std::string> texts;
  for (const Pattern& pattern : std::get<std::vector<Pattern>>(parsed)) {
    texts.push_back(pattern.text());
  }
  return texts;
}

std::string repeat(const std::string& text, int count) {
  std::string repeated;
  for (int i = 0; i < count; ++i) repeated += text;
  return repeated;
}

TEST_SUITE("policies/pattern") {
  TEST_CASE("braces are multiplied out in the order of the text") {
    struct Row {
      std::string text;
      std::vector<std::string> expected;
    };
    const Row rows[] = {
        {"/a{b,c}d", {"/abd", "/acd"}},
        {"/{a,b}{c,d}", {"/ac", "/ad", "/bc", "/bd"}},
        {"/{a,b{c,d}}", {"/a", "/bc", "/bd"}},
        {"/a{,/**}", {"/a", "/a/**/*"}},
        {"{~/.x,$XDG_CONFIG_HOME/x,/etc/x}/y", {"~/.x/y", "$XDG_CONFIG_HOME/x/y", "/etc/x/y"}},
        {"$XDG_{DATA,STATE}_HOME/x", {"$XDG_DATA_HOME/x", "$XDG_STATE_HOME/x"}},
        {"/a,b", {"/a\\,b"}},
        {"/a\\{b\\,c\\}", {"/a\\{b\\,c\\}"}},
    };
    for (const Row& row : rows) {
      CAPTURE(row.text);
      CHECK(texts_of(row.text) == row.expected);
    }
  }

  TEST_CASE("one spelling for what means the same, and it reads as itself") {
    struct Row {
      std::string text;
      std::string expected;
    };
    const Row rows[] = {
        {"~", "~"},
        {"~/", "~/"},
        {"/", "/"},
        {"**/x", "~/**/x"},
        {"**", "~/**/*"},
        {"~/a/**/**/b", "~/a/**/b"},
        {"~/a/", "~/a/"},
        {"~/a/**", "~/a/**/*"},
        {"~/a/**/", "~/a/**/*/"},
        {"/x/[cab]", "/x/[a-c]"},
        {"/x/[^a]", "/x/[!a]"},
        {"/x/[]a]", "/x/[\\]a]"},
        {"/x/[a-]", "/x/[\\-a]"},
        {"/x/[[:digit:]_]", "/x/[0-9_]"},
        {"/x/a\\ b", "/x/a\\ b"},
        {"/x/a b", "/x/a\\ b"},
        {"/x/\\*", "/x/\\*"},
        {"/x/\\~$", "/x/~$"},
        {"~/a//b", "~/a//b"},
        {"**/.git//**", "~/**/.git//**/*"},
        {"~//**", "~//**/*"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.text);
      CHECK(texts_of(row.text) == std::vector{row.expected});
      CHECK(texts_of(row.expected) == std::vector{row.expected});
    }
  }

  TEST_CASE("what a pattern cannot be is named at its place") {
    struct Row {
      std::string text;
      std::size_t offset;
      std::string message;
    };
    const Row rows[] = {
        {"", 0, "a pattern begins with `~/`, `/`, `$XDG_…/` or `**/`"},
        {"foo", 0, "a pattern begins with `~/`, `/`, `$XDG_…/` or `**/`"},
        {"{/a,b}", 4, "a pattern begins with `~/`, `/`, `$XDG_…/` or `**/`"},
        {"*/x", 0, "a pattern begins with `~/`, `/`, `$XDG_…/` or `**/`"},
        {"~bob/x", 1, "`~` stands alone: homes of other people cannot be named"},
        {"$HOME-x/y", 5, "the name of a variable is capitals and `_`, up to a `/`"},
        {"//a", 0, "`//` marks the root of a group and cannot begin a pattern"},
        {"/a//b//c", 5, "a pattern has at most one `//`"},
        {"/a//", 2, "nothing follows the `//`"},
        {"/a///b", 2, "more than two slashes stand together"},
        {"~/**//a", 4, "the root of a group cannot be `**`"},
        {"**/a//b", 4, "after `**` and a `//` only `**` can follow, as in `**/.git//**`"},
        {"**/a//**/b", 4, "after `**` and a `//` only `**` can follow, as in `**/.git//**`"},
        {"/a/**b", 3, "`**` stands alone between slashes; within a name write `*`"},
        {"/a/***", 3, "`**` stands alone between slashes; within a name write `*`"},
        {"/a/./b", 3, "'.' and '..' are not file names here"},
        {"/a/..", 3, "'.' and '..' are not file names here"},
        {"/" + std::string(256, 'x'), 1, "a file name is longer than 255 bytes"},
        {"/a{b", 2, "`{` without its `}`; write `\\{` if the name holds it"},
        {"/a}b", 2, "`}` without a `{` before it; write `\\}`"},
        {"/a{b}", 2, "braces hold alternatives with commas between, as in `{a,b}`"},
        {"/a[b", 2, "`[` without its `]`; write `\\[` if the name holds it"},
        {"/a[b/c]", 2, "`[` without its `]`; write `\\[` if the name holds it"},
        {"/[z-a]", 2, "the range runs backwards"},
        {"/a\\", 2, "a backslash ends the pattern; write `\\\\` for the byte itself"},
        {"/a\\n", 2, "`\\n` means nothing; a backslash stands before a sign"},
        {std::string("/a\0b", 4), 2, "a zero byte is in no name"},
        {"/" + std::string(4096, 'x'), 4096, "the pattern is longer than 4096 bytes"},
        {repeat("/a", 129), 257, "the pattern is deeper than 128 directories"},
        {"/" + repeat("{a,", 17), 49, "braces are nested more than 16 deep"},
        {"/" + repeat("{a,b}", 10), 50, "the braces give more than 1000 patterns"},
        {"/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}" + std::string(400, 'x'), 231,
         "the braces give patterns of more than 100000 bytes together"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.text);
      const ParsedPattern parsed = parse_pattern(row.text);
      const auto* fault = std::get_if<PatternFault>(&parsed);
      REQUIRE(fault != nullptr);
      CHECK(fault->message == row.message);
      CHECK(fault->offset == row.offset);
    }
  }

  TEST_CASE("an unknown set of bytes is refused with those there are") {
    const ParsedPattern parsed = parse_pattern("/[[:word:]]");
    const auto* fault = std::get_if<PatternFault>(&parsed);
    REQUIRE(fault != nullptr);
    CHECK(fault->offset == 2);
    CHECK(fault->message.starts_with("no such set; there are [:alnum:]"));
  }

  TEST_CASE("a pattern made to be large is refused at once") {
    const std::string rows[] = {
        repeat("/a", 10'000),
        repeat("{", 4000),
        "/" + repeat("{a,b}", 800),
        "/" + repeat("{a,", 4000),
        "/" + repeat("{,}", 1300),
        "/{" + repeat("a,", 2000) + "}{b,c}",
        "/" + repeat("{a,b,c}/", 500),
        repeat("[", 4000),
        "/{" + repeat("{a,b},", 600) + "}",
    };
    const auto start = std::chrono::steady_clock::now();
    for (const std::string& row : rows) {
      CHECK(std::holds_alternative<PatternFault>(parse_pattern(row)));
    }
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  }

  TEST_CASE("a glob with many stars costs little on a name made for it") {
    const ParsedPattern parsed = parse_pattern("/" + repeat("*a", 100) + "b");
    const auto& glob = std::get<Glob>(std::get<std::vector<Pattern>>(parsed)[0].components[0]);
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(glob.matches(std::string(255, 'a')));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  }
}

}  // namespace
}  // namespace satchel::policies
