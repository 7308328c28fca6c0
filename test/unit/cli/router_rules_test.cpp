#include "cli/router_rules.h"

#include <doctest/doctest.h>

#include <string>

#include "policies/default_rules.h"
#include "policies/rule_cases.h"
#include "redirector/rule_router.h"

namespace satchel::cli {
namespace {

TEST_SUITE("cli/router_rules") {
  TEST_CASE("a round hears what the router says") {
    auto set = policies::RuleSet::make(policies::default_rule_files(), policies::case_view());
    REQUIRE(set.has_value());
    const auto router = redirector::make_router(*std::move(set));
    const RouterRules rules(*router);
    const auto path = [](const std::string& text) { return *RelativePath::parse(text); };
    CHECK(rules.travels(path("home/ada/letter"), store::Kind::kFile));
    CHECK(!rules.travels(path("tmp/x"), store::Kind::kFile));
    CHECK(rules.coverage_below(path("tmp")) == syncer::Coverage::kNone);
    CHECK(rules.coverage_below(path("usr")) == syncer::Coverage::kAll);
    CHECK(rules.coverage_below({}) == syncer::Coverage::kMixed);
    CHECK(rules.area_of(path("etc/machine-id"), store::Kind::kFile) == store::Area::kMachine);
    CHECK(rules.area_of(path("usr/bin/x"), store::Kind::kFile) == store::Area::kApp);
    CHECK(rules.rules_id() == router->rules_id());
  }
}

}  // namespace
}  // namespace satchel::cli
