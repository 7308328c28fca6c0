#include "policies/rule_parser.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace satchel::policies {
namespace {

ParsedRules parse(const std::string& text, Owner owner = Owner::kShipped) {
  return parse_rules({.name = "rules.d/50-app.rules", .owner = owner, .text = text});
}

/// A file with one rule in its third line.
std::string file_of(const std::string& rule, const std::string& block = "[default]") {
  return "satchel-rules 1\n" + block + "\n" + rule + "\n";
}

struct FaultRow {
  std::string rule;
  std::size_t column;
  std::string message;
};

void check_fault(const ParsedRules& parsed, const FaultRow& row) {
  CAPTURE(row.rule);
  REQUIRE(parsed.faults.size() == 1);
  CHECK(to_text(parsed.faults[0]) ==
        "rules.d/50-app.rules:3:" + std::to_string(row.column) + ": " + row.message);
  CHECK(parsed.rules.empty());
}

TEST_SUITE("policies/rule_parser") {
  TEST_CASE("a rule holds what its line says") {
    const ParsedRules parsed = parse(
        "# a comment\n\nsatchel-rules 1   # format\n[app firefox] # the browser\n"
        "sync  ~/.mozilla/*//**  class=sysdata group=profile merge=sqlite prefer=client "
        "secret=yes prio=7 max=20M quiesce=process:firefox when=exists:/usr/bin/firefox # why\n");
    CHECK(parsed.faults.empty());
    REQUIRE(parsed.rules.size() == 1);
    const Rule& rule = parsed.rules[0];
    CHECK(rule.action == Action::kSync);
    CHECK(rule.data_class == DataClass::kSysdata);
    CHECK(rule.app == "firefox");
    CHECK(rule.group == "firefox/profile");
    CHECK(rule.merge == Merge::kSqlite);
    CHECK(rule.prefer == Prefer::kClient);
    CHECK(rule.is_secret);
    CHECK(rule.prio == 7);
    CHECK(rule.bytes_max == 20U << 20U);
    CHECK(rule.quiesce == Quiesce::kProcess);
    CHECK(rule.quiesce_process == "firefox");
    REQUIRE(rule.when);
    CHECK(rule.when->exists->text() == "/usr/bin/firefox");
    CHECK(rule.line == 5);
    CHECK(rule.column == 7);
    CHECK(rule.text.starts_with("sync ~/.mozilla/*//** class=sysdata group=profile "));
    CHECK(rule.text.ends_with(" when=exists:/usr/bin/firefox"));
  }

  TEST_CASE("blanks, carriage returns, quotes and a missing last newline do not matter") {
    const ParsedRules parsed = parse(
        "satchel-rules 1\r\n[default]\r\n\tlocal\t\"~/Code Cache/a#b\"\tsecret=yes\r\n"
        "local ~/Code\\ Cache/a#b  secret=yes#none");
    REQUIRE(parsed.rules.size() == 1);
    CHECK(parsed.rules[0].patterns[0].text() == "~/Code\\ Cache/a#b");
    CHECK(parsed.rules[0].text == "local \"~/Code Cache/a#b\" secret=yes");
    REQUIRE(parsed.faults.size() == 1);
    CHECK(to_text(parsed.faults[0]) == "rules.d/50-app.rules:4:33: `secret` takes yes or no");
  }

  TEST_CASE("an empty file switches rules off and has no fault") {
    CHECK(parse("").faults.empty());
    CHECK(parse("").rules.empty());
  }

  TEST_CASE("each mistake in a rule is named at its place") {
    const FaultRow rows[] = {
        {"sync    ~/x clas=app", 13, "unknown key `clas`, did you mean `class`?"},
        {"snyc ~/x", 1, "unknown action `snyc`, did you mean `sync`?"},
        {"frobnicate ~/x", 1, "unknown action `frobnicate`"},
        {"sync", 1, "the pattern is missing"},
        {"sync ~/x class=foo", 16, "`class` takes data, sysdata or app"},
        {"sync ~/x class=", 16, "`class` takes data, sysdata or app"},
        {"sync ~/x/** group=Big", 19, "`group` takes a name of a-z, 0-9, `.`, `_` and `-`"},
        {"sync ~/x merge=magic", 16,
         "`merge` takes file, text, ini, json, lines-union, sqlite, keyring, ours or theirs"},
        {"sync ~/x prefer=me", 17, "`prefer` takes client or server"},
        {"sync ~/x secret=maybe", 17, "`secret` takes yes or no"},
        {"sync ~/x prio=10", 15, "`prio` takes a digit from 0 to 9"},
        {"sync ~/x max=0", 14, "`max` takes a size such as 500K, 20M or 2G"},
        {"sync ~/x max=9999999T", 14, "`max` takes a size such as 500K, 20M or 2G"},
        {"sync ~/x max=5X", 14, "`max` takes a size such as 500K, 20M or 2G"},
        {"sync ~/x quiesce=process:", 18, "`quiesce` takes process:NAME,…, sqlite or none"},
        {"sync ~/x when=moon:full", 15,
         "`when` takes exists:PATH, with a path without wildcards, or desktop:NAME"},
        {"sync ~/x when=exists:/a/*", 15,
         "`when` takes exists:PATH, with a path without wildcards, or desktop:NAME"},
        {"sync ~/x prio=1 prio=2", 17, "`prio` stands here twice"},
        {"sync ~/x ~/y", 10, "after the pattern stand words key=value, not `~/y`"},
        {"sync ~/a b/c", 10, "after the pattern stand words key=value, not `b/c`"},
        {"sync \"~/x", 6, "the quote is not closed"},
        {"sync ~/\"x y\"", 8, "a quote within a word; quote the whole pattern, or write `\\\"`"},
        {"sync \"~/x\"y", 11, "a blank is missing after the quote"},
        {"sync $XDG_CONFG_HOME/x", 6,
         "unknown variable `$XDG_CONFG_HOME`, did you mean `XDG_CONFIG_HOME`?"},
        {"sync ~/a{b", 9, "`{` without its `}`; write `\\{` if the name holds it"},
        {"sync \"~/a{b\"", 10, "`{` without its `}`; write `\\{` if the name holds it"},
        {"sync ~/a//**", 6, "`//` marks the root of a group, so `group=NAME` is missing"},
        {"sync ~/*/x group=g", 6, "mark by `//` in the pattern where the group begins"},
        {"sync /x group=g", 6, "a group needs a directory of its own"},
        {"sync /** group=g", 6, "a group needs a directory of its own"},
        {"local ~/x prio=3", 7,
         "what is `local` does not travel, so group, merge, prefer, prio, max and quiesce mean "
         "nothing"},
        {"image /x class=data", 7, "`image` is always class=app"},
        {"[default", 1, "a block begins with a line `[NAME]` or `[app NAME]`"},
        {"[defualt]", 2, "unknown block `defualt`, did you mean `default`?"},
        {"[app]", 1, "an application's block names it: `[app NAME]`"},
        {"[never ever]", 1, "`never` takes no name after it"},
        {"[app A]", 6, "an application is called by a name of a-z, 0-9, `.`, `_` and `-`"},
    };
    for (const FaultRow& row : rows) check_fault(parse(file_of(row.rule)), row);
  }

  TEST_CASE("a never block holds only what does not travel") {
    check_fault(
        parse(file_of("sync ~/x", "[never]")),
        {"sync ~/x", 1, "a [never] block holds what does not travel: local, discard and deny"});
    CHECK(parse(file_of("deny ~/x", "[never]")).faults.empty());
  }

  TEST_CASE("a person's own rules reach only below the home directory") {
    const FaultRow rows[] = {
        {"local /etc/passwd", 7,
         "a person's own rules reach only below `~`, and `/etc/passwd` is not there"},
        {"local {~/x,/etc/y}", 7,
         "a person's own rules reach only below `~`, and `/etc/y` is not there"},
        {"local $XDG_RUNTIME_DIR/x", 7,
         "a person's own rules reach only below `~`, and `$XDG_RUNTIME_DIR/x` is not there"},
        {"local ~/x when=exists:/etc/shadow", 7,
         "a person's own rules reach only below `~`, and `/etc/shadow` is not there"},
        {"[system]", 1, "a person's own rules reach only below `~`, so they have no [system]"},
    };
    for (const FaultRow& row : rows) check_fault(parse(file_of(row.rule), Owner::kPerson), row);
    CHECK(parse(file_of("local **/x"), Owner::kPerson).faults.empty());
  }

  TEST_CASE("a file that does not begin as one is refused at its first line") {
    struct Row {
      std::string text;
      std::string message;
    };
    const Row rows[] = {
        {"sync ~/x\n", "1:1: a rule file begins with the line `satchel-rules 1`"},
        {"# nothing\n", "1:1: a rule file begins with the line `satchel-rules 1`"},
        {"\n satchel-rules\n", "2:2: a rule file begins with the line `satchel-rules 1`"},
        {"satchel-rules 2\nfrob\n",
         "1:15: rules of format `2`, and this program knows only format 1"},
    };
    for (const Row& row : rows) {
      const ParsedRules parsed = parse(row.text);
      REQUIRE(parsed.faults.size() == 1);
      CHECK(to_text(parsed.faults[0]) == "rules.d/50-app.rules:" + row.message);
    }
    CHECK(error_of(parse("satchel-rules 2\n").faults).sat == Sat::kNewerFormat);
    CHECK(error_of(parse("x\n").faults).sat == Sat::kRuleSyntax);
    CHECK(error_of(parse("x\n").faults).code == EINVAL);
  }

  TEST_CASE("a rule before the first block is a fault, but only once") {
    const ParsedRules parsed = parse("satchel-rules 1\nsync ~/x\nsync ~/y\n");
    REQUIRE(parsed.faults.size() == 1);
    CHECK(parsed.faults[0].message ==
          "a rule stands before the first block; begin with `[default]`");
  }

  TEST_CASE("all faults of a file are told, each line for itself, up to twenty") {
    std::string text = "satchel-rules 1\n[default]\n";
    for (int i = 0; i < 50; ++i) text += i % 2 == 0 ? "sync ~/x a=1 b=2\n" : "sync ~/y\n";
    const ParsedRules parsed = parse(text);
    REQUIRE(parsed.faults.size() == 20);
    CHECK(parsed.faults[0].line == 3);
    CHECK(parsed.faults[1].line == 3);
    CHECK(parsed.faults[2].line == 5);
    CHECK(parsed.rules.size() == 9);
    const std::string message = error_of(parsed.faults).message;
    CHECK(std::count(message.begin(), message.end(), '\n') == 19);
  }

  TEST_CASE("what is too large is refused without reading it all") {
    const ParsedRules large = parse("satchel-rules 1\n" + std::string(10'000'000, '#'));
    REQUIRE(large.faults.size() == 1);
    CHECK(to_text(large.faults[0]) ==
          "rules.d/50-app.rules: the file is longer than 1048576 bytes");
    const ParsedRules line = parse(file_of("sync ~/" + std::string(9000, 'x')));
    REQUIRE(line.faults.size() == 1);
    CHECK(line.faults[0].message == "the line is longer than 8192 bytes");
    std::string many = "satchel-rules 1\n[default]\n";
    for (int i = 0; i < 400; ++i) {
      many += "local ~/{a,b,c,d,e}{a,b,c,d,e}{a,b,c,d,e}{a,b,c,d,e}/a/b/c/d/e\n";
    }
    const ParsedRules exploded = parse(many);
    REQUIRE(exploded.faults.size() == 1);
    CHECK(exploded.faults[0].message ==
          "with its braces multiplied out the file names more than 200000 directories");
  }

  TEST_CASE("bytes that a terminal obeys are not shown as they are") {
    const ParsedRules parsed = parse(file_of("sy\x1b[2Jnc ~/x"));
    REQUIRE(parsed.faults.size() == 1);
    CHECK(parsed.faults[0].message == "unknown action `sy\\033[2Jnc`");
    const ParsedRules zero = parse(file_of(std::string("sync ~/\0x", 9)));
    REQUIRE(zero.faults.size() == 1);
    CHECK(zero.faults[0].message == "a zero byte; this is no text");
    CHECK(zero.faults[0].column == 8);
  }
}

}  // namespace
}  // namespace satchel::policies
