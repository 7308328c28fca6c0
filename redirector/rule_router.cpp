#include "redirector/rule_router.h"

#include <utility>

#include "base/sha256.h"

namespace satchel::redirector {
namespace {

using policies::Below;
using policies::Decision;
using policies::PathKind;
using policies::RuleSet;

PathKind path_kind(store::Kind kind) {
  return kind == store::Kind::kDirectory ? PathKind::kDirectory : PathKind::kOther;
}

/// The state to which the path of a directory has led.
class RuleDirectory final : public RoutedDirectory {
 public:
  RuleDirectory(const RuleSet& rules, const RelativePath& path)
      : rules_(rules), state_(rules.descend(path)) {}
  [[nodiscard]] policies::Action action(const Name& name, store::Kind kind) const override {
    return rules_.action(state_, name, path_kind(kind));
  }

 private:
  const RuleSet& rules_;
  policies::DirectoryState state_;
};

class RuleRouter final : public Router {
 public:
  explicit RuleRouter(RuleSet rules)
      : rules_(std::move(rules)), id_{sha256(as_bytes(rules_.canonical_text()))} {}

  [[nodiscard]] Decision decide(const RelativePath& path, store::Kind kind) const override {
    return rules_.decide(path, path_kind(kind));
  }

  [[nodiscard]] Coverage coverage_below(const RelativePath& directory) const override {
    switch (rules_.below(rules_.descend(directory))) {
      case Below::kAllTravel:
        return Coverage::kAll;
      case Below::kNoneTravels:
        return Coverage::kNone;
      case Below::kMixed:
        return Coverage::kMixed;
    }
    SATCHEL_ASSERT(false);
    return Coverage::kMixed;
  }

  [[nodiscard]] std::shared_ptr<const RoutedDirectory> enter(
      const RelativePath& directory) const override {
    return std::make_shared<const RuleDirectory>(rules_, directory);
  }

  [[nodiscard]] store::RulesId rules_id() const override { return id_; }

 private:
  RuleSet rules_;
  store::RulesId id_;
};

}  // namespace

std::unique_ptr<Router> make_router(RuleSet rules) {
  return std::make_unique<RuleRouter>(std::move(rules));
}

std::unique_ptr<Router> make_last_resort_router() {
  Result<RuleSet> rules = RuleSet::make({}, {});
  SATCHEL_ASSERT(rules.has_value());
  return make_router(*std::move(rules));
}

}  // namespace satchel::redirector
