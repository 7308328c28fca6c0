#include "redirector/live_router.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>

#include "redirector/rule_router.h"

namespace satchel::redirector {
namespace {

using policies::Action;

std::unique_ptr<Router> router_of(const std::string& rules) {
  const policies::RuleFile file{.name = "x.rules", .text = "satchel-rules 1\n[default]\n" + rules};
  auto set = policies::RuleSet::make(std::span(&file, 1), {});
  if (!set) FAIL(set.error().message);
  return make_router(*std::move(set));
}

RelativePath path_of(const std::string& text) {
  return RelativePath::parse(text).value();
}

TEST_SUITE("redirector/live_router") {
  TEST_CASE("the rules that were put in last decide") {
    LiveRouter router(make_last_resort_router());
    CHECK(router.decide(path_of("a"), store::Kind::kFile).action == Action::kSync);
    CHECK(router.coverage_below(path_of("a")) == Coverage::kAll);
    const store::RulesId before = router.rules_id();
    CHECK(router.replace(router_of("local /a{,/**}\n")));
    CHECK(router.decide(path_of("a"), store::Kind::kFile).action == Action::kLocal);
    CHECK(router.coverage_below(path_of("a")) == Coverage::kNone);
    CHECK(router.rules_id() != before);
  }

  TEST_CASE("a directory that was entered is out of date when the rules are replaced") {
    LiveRouter router(router_of("discard /a/x\n"));
    const std::uint64_t edition = router.edition();
    const auto before = router.enter(path_of("a"));
    CHECK(before->action(Name::checked("x"), store::Kind::kFile) == Action::kDiscard);
    CHECK_FALSE(router.replace(router_of("discard /a/x  # the same\n")));
    CHECK(router.edition() == edition);
    CHECK(router.replace(router_of("deny /a/x\n")));
    CHECK(router.edition() != edition);
    CHECK(before->action(Name::checked("x"), store::Kind::kFile) == Action::kDiscard);
    const auto after = router.enter(path_of("a"));
    CHECK(after->action(Name::checked("x"), store::Kind::kFile) == Action::kDeny);
  }

  TEST_CASE("rules that decide as the present ones do change nothing") {
    LiveRouter router(router_of("local /a\n"));
    const Router* const first = &router.current();
    CHECK_FALSE(router.replace(router_of("local /a  # the same\n")));
    CHECK(&router.current() == first);
  }

  TEST_CASE("a decision's texts outlive the rules that made it, and a round keeps its rules") {
    LiveRouter router(router_of("local /a\n"));
    const policies::Decision old = router.decide(path_of("a"), store::Kind::kFile);
    const Router& of_a_round = router.current();
    std::thread asking([&] {
      for (int i = 0; i < 2000; ++i) {
        const auto decision = router.decide(path_of("a"), store::Kind::kFile);
        SATCHEL_ASSERT(decision.rule == "local /a" || decision.rule.starts_with("sync"));
      }
    });
    for (int i = 0; i < 20; ++i) {
      CHECK(router.replace(router_of("local /a" + std::to_string(i) + "\n")));
    }
    asking.join();
    CHECK(old.rule == "local /a");
    CHECK(of_a_round.decide(path_of("a"), store::Kind::kFile).action == Action::kLocal);
    CHECK(router.decide(path_of("a"), store::Kind::kFile).action == Action::kSync);
  }
}

}  // namespace
}  // namespace satchel::redirector
