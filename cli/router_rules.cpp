#include "cli/router_rules.h"

namespace satchel::cli {

bool RouterRules::travels(const RelativePath& path, store::Kind kind) const {
  return router_.decide(path, kind).travels();
}

syncer::Coverage RouterRules::coverage_below(const RelativePath& directory) const {
  switch (router_.coverage_below(directory)) {
    case redirector::Coverage::kAll:
      return syncer::Coverage::kAll;
    case redirector::Coverage::kNone:
      return syncer::Coverage::kNone;
    case redirector::Coverage::kMixed:
      return syncer::Coverage::kMixed;
  }
  return syncer::Coverage::kMixed;
}

store::Area RouterRules::area_of(const RelativePath& path, store::Kind kind) const {
  return redirector::area_of(router_.decide(path, kind));
}

store::RulesId RouterRules::rules_id() const {
  return router_.rules_id();
}

}  // namespace satchel::cli
