#include "policies/rule_files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "test/support/temp_dir.h"

namespace satchel::policies {
namespace {

void write(const HostPath& path, const std::string& text) {
  std::ofstream(path.text) << text;
}

std::string summary(const std::vector<RuleFile>& files) {
  std::string text;
  for (const RuleFile& file : files) text += file.name + "=" + file.text + " ";
  return text;
}

TEST_SUITE("policies/rule_files") {
  TEST_CASE("files are read in the order of their names, over all directories") {
    const std::vector<RuleFile> files = arrange_rule_files({
        {.name = "/usr/90-never.rules", .owner = Owner::kShipped, .text = "a"},
        {.name = "/usr/10-xdg.rules", .owner = Owner::kShipped, .text = "b"},
        {.name = "/etc/50-site.rules", .owner = Owner::kSite, .text = "c"},
        {.name = "/home/20-mine.rules", .owner = Owner::kPerson, .text = "d"},
    });
    CHECK(summary(files) ==
          "/usr/10-xdg.rules=b /home/20-mine.rules=d /etc/50-site.rules=c /usr/90-never.rules=a ");
  }

  TEST_CASE("the site replaces a shipped file, and a person's file replaces nothing") {
    const std::vector<RuleFile> files = arrange_rule_files({
        {.name = "10-a.rules", .owner = Owner::kShipped, .text = "built in"},
        {.name = "/usr/10-a.rules", .owner = Owner::kShipped, .text = "installed"},
        {.name = "/etc/10-a.rules", .owner = Owner::kSite, .text = "site"},
        {.name = "/home/10-a.rules", .owner = Owner::kPerson, .text = "mine"},
        {.name = "/usr/20-b.rules", .owner = Owner::kShipped, .text = "b"},
        {.name = "/etc/20-b.rules", .owner = Owner::kSite, .text = ""},
    });
    CHECK(summary(files) == "/etc/10-a.rules=site /home/10-a.rules=mine /etc/20-b.rules= ");
  }

  TEST_CASE("only regular files called .rules are read; a directory that is not there has none") {
    const test::TempDir dir;
    write(dir.path() / "10-a.rules", "a");
    write(dir.path() / "README", "b");
    write(dir.path() / ".hidden.rules", "c");
    write(dir.path() / "10-a.rules~", "d");
    REQUIRE(symlink("/dev/null", (dir.path() / "20-off.rules").c_str()) == 0);
    const RuleDirectory directories[] = {{dir.path() / "missing", Owner::kSite},
                                         {dir.path(), Owner::kPerson}};
    const Result<std::vector<RuleFile>> files = read_rule_files(directories);
    REQUIRE(files);
    CHECK(summary(*files) ==
          (dir.path() / "10-a.rules").text + "=a " + (dir.path() / "20-off.rules").text + "= ");
    CHECK((*files)[0].owner == Owner::kPerson);
  }

  TEST_CASE("a link, a directory and a file too long are refused by name") {
    const test::TempDir dir;
    const HostPath path = dir.path() / "10-a.rules";
    const RuleDirectory directory{dir.path(), Owner::kPerson};
    SUBCASE("a link could show what only root may read") {
      REQUIRE(symlink("/etc/shadow", path.c_str()) == 0);
      const auto files = read_rule_files(std::span(&directory, 1));
      REQUIRE_FALSE(files);
      CHECK(files.error().code == EINVAL);
      CHECK(files.error().path == path.text);
      CHECK(files.error().message == "a rule file is a symbolic link");
    }
    SUBCASE("a directory") {
      REQUIRE(mkdir(path.c_str(), 0700) == 0);
      const auto files = read_rule_files(std::span(&directory, 1));
      REQUIRE_FALSE(files);
      CHECK(files.error().code == EINVAL);
    }
    SUBCASE("ten megabytes") {
      write(path, std::string(10'000'000, '#'));
      const auto files = read_rule_files(std::span(&directory, 1));
      REQUIRE_FALSE(files);
      CHECK(files.error().code == EFBIG);
      CHECK(files.error().path == path.text);
    }
    SUBCASE("the directory is a file") {
      const HostPath file = dir.path() / "file";
      write(file, "");
      const RuleDirectory wrong{file, Owner::kSite};
      const auto files = read_rule_files(std::span(&wrong, 1));
      REQUIRE_FALSE(files);
      CHECK(files.error().code == ENOTDIR);
    }
    SUBCASE("more than a thousand files") {
      for (int i = 0; i < 1001; ++i) write(dir.path() / (std::to_string(i) + ".rules"), "");
      const auto files = read_rule_files(std::span(&directory, 1));
      REQUIRE_FALSE(files);
      CHECK(files.error().code == EFBIG);
      CHECK(files.error().sat == Sat::kRuleSyntax);
    }
  }
}

}  // namespace
}  // namespace satchel::policies
