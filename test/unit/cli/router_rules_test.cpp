#include "cli/router_rules.h"

#include <doctest/doctest.h>

#include <string>

namespace satchel::cli {
namespace {

TEST_SUITE("cli/router_rules") {
  TEST_CASE("a round hears what the router says") {
    const auto router = redirector::make_builtin_router();
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
