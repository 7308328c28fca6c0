#include "policies/rule_set.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

namespace satchel::policies {
namespace {

RelativePath path_of(const std::string& text) {
  Result<RelativePath> path = RelativePath::parse(text);
  REQUIRE(path);
  return *std::move(path);
}

ViewOptions view() {
  return {.homes = {{.path = path_of("home/ada")}}};
}

RuleFile file_of(const std::string& rules, Owner owner = Owner::kSite) {
  return {.name = "50-x.rules", .owner = owner, .text = "satchel-rules 1\n[default]\n" + rules};
}

RuleSet rules_of(const std::string& rules, const ViewOptions& options = view()) {
  const RuleFile file = file_of(rules);
  Result<RuleSet> set = RuleSet::make(std::span(&file, 1), options);
  if (!set) FAIL(set.error().message);
  return *std::move(set);
}

Decision decide(const RuleSet& rules, const std::string& path) {
  return rules.decide(path_of(path), PathKind::kOther);
}

std::string action(const RuleSet& rules, const std::string& path) {
  return std::string(to_text(decide(rules, path).action));
}

TEST_SUITE("policies/rule_set") {
  TEST_CASE("without rules every path falls somewhere") {
    Result<RuleSet> rules = RuleSet::make({}, {});
    REQUIRE(rules);
    struct Row {
      std::string path;
      Action action;
      DataClass data_class;
    };
    const Row rows[] = {
        {"", Action::kSync, DataClass::kSysdata},
        {"home/ada/x", Action::kSync, DataClass::kSysdata},
        {"etc/passwd", Action::kSync, DataClass::kSysdata},
        {"usr", Action::kImage, DataClass::kApp},
        {"usr/bin/x", Action::kImage, DataClass::kApp},
        {"opt/x", Action::kImage, DataClass::kApp},
        {"bin/x", Action::kImage, DataClass::kApp},
        {"sbin", Action::kImage, DataClass::kApp},
        {"lib32/x", Action::kImage, DataClass::kApp},
        {"var/lib/dpkg/status", Action::kImage, DataClass::kApp},
        {"var/lib/apt/extended_states", Action::kImage, DataClass::kApp},
        {"var/lib/apt/lists/x", Action::kSync, DataClass::kSysdata},
    };
    for (const Row& row : rows) {
      CAPTURE(row.path);
      const Decision decision = rules->decide(path_of(row.path), PathKind::kDirectory);
      CHECK(decision.action == row.action);
      CHECK(decision.data_class == row.data_class);
      CHECK(decision.origin == "built-in");
    }
  }

  TEST_CASE("the last rule that matches decides, and says where it stands") {
    const RuleSet rules = rules_of("local ~/**\nsync ~/a/** class=data\ndeny ~/a/b\n");
    CHECK(decide(rules, "home/ada/a/b").action == Action::kDeny);
    CHECK(decide(rules, "home/ada/a/b").origin == "50-x.rules:5");
    CHECK(decide(rules, "home/ada/a/b").rule == "deny ~/a/b");
    CHECK(decide(rules, "home/ada/a/b/c").origin == "50-x.rules:4");
    CHECK(decide(rules, "home/ada/x").action == Action::kLocal);
    CHECK(decide(rules, "home/ada").action == Action::kSync);
  }

  TEST_CASE("a rule without a class leaves the class to the rule it overrides") {
    const RuleSet rules = rules_of(
        "sync ~/** class=data\nsync ~/.*/** class=sysdata\nsync **/.git//** group=repo\n"
        "machine /usr/x\n");
    CHECK(decide(rules, "home/ada/p/.git/HEAD").data_class == DataClass::kData);
    CHECK(decide(rules, "home/ada/.dot/.git/HEAD").data_class == DataClass::kSysdata);
    CHECK(decide(rules, "usr/x").data_class == DataClass::kApp);
  }

  TEST_CASE("the keys of the deciding rule come with the decision") {
    const RuleSet rules = rules_of(
        "[app x]\nsync ~/p/*//** group=g merge=ini prefer=server secret=yes prio=9 max=2K "
        "quiesce=process:x\n");
    const Decision decision = decide(rules, "home/ada/p/one/f");
    CHECK(decision.attributes == Attributes{.app = "x",
                                            .group = "x/g",
                                            .merge = Merge::kIni,
                                            .prefer = Prefer::kServer,
                                            .quiesce = Quiesce::kProcess,
                                            .quiesce_process = "x",
                                            .is_secret = true,
                                            .prio = 9,
                                            .bytes_max = 2048});
    CHECK(decision.group_root_names == 4);
    CHECK(group_root_of(path_of("home/ada/p/one/f"), decision) == path_of("home/ada/p/one"));
  }

  TEST_CASE("the outermost directory that fits is the root of a group") {
    const RuleSet rules = rules_of("sync **/.git//** group=repo\n");
    const std::string path = "home/ada/p/.git/modules/.git/HEAD";
    CHECK(group_root_of(path_of(path), decide(rules, path)) == path_of("home/ada/p/.git"));
    CHECK(decide(rules, "home/ada/p/.git").attributes.group.empty());
  }

  TEST_CASE("a group without a mark begins at the last directory that the pattern spells out") {
    const RuleSet rules = rules_of("sync ~/.gnupg/** group=a\nsync ~/x/y group=b\n");
    CHECK(decide(rules, "home/ada/.gnupg/a/b").group_root_names == 3);
    CHECK(decide(rules, "home/ada/x/y").group_root_names == 3);
  }

  TEST_CASE("variables are each person's own") {
    ViewOptions options = view();
    options.homes[0].variables = {{"XDG_CONFIG_HOME", path_of("home/ada/etc")},
                                  {"XDG_DOWNLOAD_DIR", path_of("home/ada/Téléchargements")}};
    options.homes.push_back({.path = path_of("root")});
    const RuleSet rules =
        rules_of("local $XDG_CONFIG_HOME/x\nlocal $XDG_DOWNLOAD_DIR/**\ndeny ~/y\n", options);
    CHECK(action(rules, "home/ada/etc/x") == "local");
    CHECK(action(rules, "home/ada/.config/x") == "sync");
    CHECK(action(rules, "home/ada/Téléchargements/x") == "local");
    CHECK(action(rules, "home/ada/Downloads/x") == "sync");
    CHECK(action(rules, "root/.config/x") == "local");
    CHECK(action(rules, "root/Downloads/x") == "local");
    CHECK(action(rules, "home/ada/y") == "deny");
    CHECK(action(rules, "root/y") == "deny");
  }

  TEST_CASE("a folder that is switched off does not stand for the whole home directory") {
    ViewOptions options = view();
    for (const std::string place : {"home/ada", "home", ""}) {
      options.homes[0].variables = {{"XDG_DOWNLOAD_DIR", path_of(place)}};
      const RuleSet rules = rules_of("local $XDG_DOWNLOAD_DIR/**\n", options);
      CHECK(action(rules, "home/ada/letter.txt") == "sync");
      CHECK(action(rules, "etc/x") == "sync");
    }
  }

  TEST_CASE("XDG_RUNTIME_DIR has no default, so without it its rules match nothing") {
    CHECK(rules_of("discard $XDG_RUNTIME_DIR/**\n").canonical_text() ==
          rules_of("").canonical_text());
  }

  TEST_CASE("conditions are decided when the rules are compiled") {
    ViewOptions options = view();
    options.desktops = {"gnome"};
    options.exists = [](const RelativePath& path) { return path.text() == "home/ada/.flag"; };
    const RuleSet rules = rules_of(
        "local ~/a when=desktop:gnome\nlocal ~/b when=desktop:kde\n"
        "local ~/c when=exists:~/.flag\nlocal ~/d when=exists:/flag\n",
        options);
    CHECK(action(rules, "home/ada/a") == "local");
    CHECK(action(rules, "home/ada/b") == "sync");
    CHECK(action(rules, "home/ada/c") == "local");
    CHECK(action(rules, "home/ada/d") == "sync");
  }

  TEST_CASE("system blocks count only in a view of a whole system") {
    ViewOptions options = view();
    const std::string text = "[system]\nlocal /etc/x\n[default]\nlocal /etc/y\n";
    CHECK(action(rules_of(text, options), "etc/x") == "local");
    options.is_whole_system = false;
    CHECK(action(rules_of(text, options), "etc/x") == "sync");
    CHECK(action(rules_of(text, options), "etc/y") == "local");
  }

  TEST_CASE("a person's variable cannot lead a person's rule out of the home directory") {
    ViewOptions options = view();
    options.homes[0].variables = {{"XDG_CONFIG_HOME", path_of("etc")}};
    const RuleFile file = file_of("local $XDG_CONFIG_HOME/passwd\n", Owner::kPerson);
    const std::vector<RuleFault> faults = check_rules(std::span(&file, 1), options);
    REQUIRE(faults.size() == 1);
    CHECK(to_text(faults[0]) ==
          "50-x.rules:3:7: a person's own rules reach only below `~`, and here "
          "`$XDG_CONFIG_HOME` is `/etc`");
    Result<RuleSet> rules = RuleSet::make(std::span(&file, 1), options);
    REQUIRE_FALSE(rules);
    CHECK(rules.error().code == EINVAL);
    CHECK(rules.error().sat == Sat::kRuleSyntax);
  }

  TEST_CASE("faults of all files are told together") {
    const RuleFile files[] = {file_of("snyc ~/x\n"), file_of("sync ~/x a=b\n")};
    const Result<RuleSet> rules = RuleSet::make(files, view());
    REQUIRE_FALSE(rules);
    CHECK(rules.error().message ==
          "50-x.rules:3:1: unknown action `snyc`, did you mean `sync`?\n"
          "50-x.rules:3:10: unknown key `a`");
  }

  TEST_CASE("too many directories in all are refused") {
    std::string text;
    for (int i = 0; i < 150; ++i) text += "local ~/{a,b,c}{a,b,c}{a,b,c}{a,b,c}{a,b,c}/a/b/c\n";
    ViewOptions options;
    for (int i = 0; i < 12; ++i) {
      options.homes.push_back({.path = path_of("home/user" + std::to_string(i))});
    }
    const RuleFile file = file_of(text);
    const std::vector<RuleFault> faults = check_rules(std::span(&file, 1), options);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].message == "all rules together name more than 2000000 directories");
  }

  TEST_CASE("rules made to explode decide still, and memory stays bounded") {
    // Which of the last twenty names were `a`: two to the twentieth states.
    std::string deep = "local **/a";
    for (int i = 0; i < 20; ++i) deep += "/?";
    const RuleSet rules = rules_of(deep + "\n");
    std::string path = "home/ada";
    for (int i = 0; i < 400; ++i) path += (i * i * 7 + i / 3) % 5 < 2 ? "/a" : "/b";
    const bool is_local = path[path.size() - 2 * 21 + 1] == 'a';
    CHECK(action(rules, path) == (is_local ? "local" : "sync"));
  }

  TEST_CASE("many threads may ask at once") {
    const RuleSet rules = rules_of("local ~/*/**/x*\nsync ~/**/y/** class=data\n");
    std::vector<std::thread> threads;
    std::vector<int> locals(4);
    for (int& found : locals) {
      threads.emplace_back([&rules, &found] {
        for (int round = 0; round < 2000; ++round) {
          const std::string number = std::to_string(round % 97);
          const auto path = RelativePath::parse("home/ada/d" + number + "/e/x" + number);
          if (rules.decide(*path, PathKind::kOther).action == Action::kLocal) ++found;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(locals == std::vector{2000, 2000, 2000, 2000});
  }
}

}  // namespace
}  // namespace satchel::policies
