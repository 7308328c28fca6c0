#include "policies/rule_advice.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "policies/rule_set.h"

namespace satchel::policies {
namespace {

RelativePath path_of(const std::string& text) {
  return RelativePath::parse(text).value();
}

SeenPath seen(const std::string& path) {
  return {.path = path_of("home/ada/" + path), .made = 1, .changed = 1};
}
SeenPath gone(const std::string& path) {
  SeenPath result = seen(path);
  result.is_there = false;
  return result;
}

RuleAdvice advise(const std::vector<SeenPath>& paths) {
  return advise_rules(paths, path_of("home/ada"));
}

/// The rules, one a line; the doubtful ones behind a `?`.
std::string rules_for(const std::vector<SeenPath>& paths) {
  std::string text;
  for (const ProposedRule& rule : advise(paths).rules) {
    text += (text.empty() ? "" : "\n") + std::string(rule.is_doubtful ? "? " : "") + rule.rule;
  }
  return text;
}

SeenPath of_kind(const std::string& path, SeenKind kind) {
  SeenPath result = seen(path);
  result.kind = kind;
  return result;
}

TEST_SUITE("policies/rule_advice") {
  TEST_CASE("what a file is and how it is called says which rule it needs") {
    struct Row {
      std::string what;
      std::vector<SeenPath> paths;
      std::string expected;
    };
    const std::vector<Row> rows = {
        {"a setting", {seen(".config/foo/settings.ini")}, ""},
        {"a socket", {of_kind(".config/foo/ctl", SeenKind::kSocket)}, "discard  ~/.config/foo/ctl"},
        {"a pipe", {of_kind(".foo/pipe", SeenKind::kFifo)}, "discard  ~/.foo/pipe"},
        {"a cache",
         {seen(".config/foo/GPUCache/a"), seen(".config/foo/GPUCache/b/c")},
         "local    ~/.config/foo/GPUCache/**"},
        {"a cache in a cache", {seen(".foo/cache/x/Cache/y")}, "local    ~/.foo/cache/**"},
        {"a file that is called cache", {seen(".config/foo/cache")}, ""},
        {"temporary files", {seen(".foo/tmp/x")}, "local    ~/.foo/tmp/**"},
        {"crash reports", {seen(".foo/Crash Reports/x")}, "local    \"~/.foo/Crash Reports/**\""},
        {"a lock", {gone(".foo/.lock")}, "discard  ~/.foo/.lock"},
        {"a process's number", {seen(".foo/foo.pid")}, "discard  ~/.foo/foo.pid"},
        {"locks in two directories",
         {seen(".config/foo/a/LOCK"), seen(".config/foo/b/LOCK")},
         "discard  ~/.config/foo/a/LOCK\ndiscard  ~/.config/foo/b/LOCK"},
        {"locks in many directories",
         {seen(".config/foo/a/LOCK"), seen(".config/foo/b/LOCK"), seen(".config/foo/c/d/LOCK")},
         "discard  ~/.config/foo/**/LOCK"},
        {"a database",
         {seen(".foo/data.db"), seen(".foo/data.db-wal"), seen(".foo/data.db-shm")},
         "sync     ~/.foo//data.db{,-wal,-journal} group=data.db quiesce=sqlite\n"
         "local    ~/.foo/data.db-shm"},
        {"a database whose journal went",
         {seen(".foo/Web Data"), gone(".foo/Web Data-journal")},
         "sync     \"~/.foo//Web Data{,-wal,-journal}\" group=web-data quiesce=sqlite"},
        {"a database without a journal", {seen(".foo/data.db")}, ""},
        {"a log",
         {seen(".foo/foo.log"), seen(".foo/foo.log.1")},
         "local    ~/.foo/foo.log\nlocal    ~/.foo/foo.log.1"},
        {"data that is called a log", {seen(".foo/000003.log")}, ""},
        {"a temporary file",
         {gone(".foo/x1.tmp"), gone(".foo/x2.tmp"), seen(".foo/x")},
         "local    ~/.foo/*.tmp"},
        {"one that is renamed",
         {gone(".foo/state.Ab12Cd"), seen(".foo/state")},
         "local    ~/.foo/state.\?\?\?\?\?\?"},
        {"one that came and went", {gone(".foo/strange")}, "? local    ~/.foo/strange"},
        {"outside of the home",
         {{.path = path_of("opt/foo/x.lock"), .made = 1}},
         "discard  /opt/foo/x.lock"},
        {"a cache that is somebody's home", {{.path = path_of("cache/x"), .made = 1}}, ""},
    };
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CHECK(rules_for(row.paths) == row.expected);
    }
  }

  TEST_CASE("what is long and often written is for a person to decide") {
    SeenPath busy = seen(".foo/state");
    busy.bytes = 2U << 20U;
    busy.changed = 30;
    SeenPath large = seen("machine.img");
    large.bytes = 3ULL << 30U;
    SeenPath small = busy;
    small.path = path_of("home/ada/.foo/small");
    small.bytes = 100;
    CHECK(rules_for({busy, large, small}) == "? local    ~/.foo/state\n? local    ~/machine.img");
    CHECK(advise({busy}).rules[0].reason == "written 31 times, 2048 KiB long");
  }

  TEST_CASE("paths of which a rule speaks already are counted and left out") {
    SeenPath known = seen(".foo/.lock");
    known.is_decided = true;
    const RuleAdvice advice = advise({known, seen(".config/foo/a"), seen(".config/foo/b/c")});
    CHECK(advice.rules.empty());
    CHECK(advice.decided == 1);
    CHECK(advice.others == std::map<std::string, std::size_t>{{"~/.config/foo", 2}});
  }

  TEST_CASE("the file can be read and decides as it says, whatever bytes names hold") {
    const std::string strange = "a [1]*?{x,y}\\\"q\" #!~$";
    const std::vector<SeenPath> paths = {seen(".foo/" + strange + "/x.lock"),
                                         of_kind(".foo/" + strange, SeenKind::kSocket),
                                         seen(".foo/" + strange + " cache/x"),
                                         seen(".foo/\xC3\xA4.db"),
                                         seen(".foo/\xC3\xA4.db-wal"),
                                         gone(".foo/" + strange),
                                         seen(".foo/line\nbreak.lock"),
                                         gone(".foo/line\nbreak"),
                                         seen("~")};
    const RuleAdvice advice = advise(paths);
    const RuleFile file{.name = "50-foo.rules",
                        .owner = Owner::kPerson,
                        .text = rule_file_text(advice, plain_name_of("Foo Bar"))};
    CAPTURE(file.text);
    auto rules = RuleSet::make(std::span(&file, 1), {.homes = {{.path = path_of("home/ada")}}});
    if (!rules) FAIL(rules.error().message);
    const auto action = [&](const std::string& path) {
      return std::string(
          to_text(rules->decide(path_of("home/ada/" + path), PathKind::kOther).action));
    };
    CHECK(action(".foo/" + strange + "/x.lock") == "discard");
    CHECK(action(".foo/" + strange) == "discard");
    CHECK(action(".foo/" + strange + " cache/x") == "local");
    CHECK(action(".foo/a1") == "sync");
    const auto database =
        rules->decide(path_of("home/ada/.foo/\xC3\xA4.db-journal"), PathKind::kOther);
    CHECK(database.attributes.group == "foo-bar/db");
  }

  TEST_CASE("a name for a block is made of any program's name") {
    CHECK(plain_name_of("Firefox") == "firefox");
    CHECK(plain_name_of("foo bar") == "foo-bar");
    CHECK(plain_name_of(".hidden") == "hidden");
    CHECK(plain_name_of("---") == "program");
    CHECK(plain_name_of("") == "program");
    CHECK(plain_name_of(std::string(200, 'x')).size() == 63);
  }
}

}  // namespace
}  // namespace satchel::policies
