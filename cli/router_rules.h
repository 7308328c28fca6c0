// The router's answers in the form that a round asks for them.
#pragma once

#include "redirector/router.h"
#include "syncer/path_rules.h"

namespace satchel::cli {

/// Borrows the router. Thread-safe.
class RouterRules final : public syncer::PathRules {
 public:
  explicit RouterRules(const redirector::Router& router) : router_(router) {}
  [[nodiscard]] bool travels(const RelativePath& path, store::Kind kind) const override;
  [[nodiscard]] syncer::Coverage coverage_below(const RelativePath& directory) const override;
  [[nodiscard]] store::Area area_of(const RelativePath& path, store::Kind kind) const override;
  [[nodiscard]] store::RulesId rules_id() const override;

 private:
  const redirector::Router& router_;
};

}  // namespace satchel::cli
