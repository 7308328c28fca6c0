#include "redirector/router.h"

#include <utility>

namespace satchel::redirector {

using policies::Action;
using policies::DataClass;
using policies::Decision;

namespace {

/// Of a router that knows whole paths only.
class DirectoryByPath final : public RoutedDirectory {
 public:
  DirectoryByPath(const Router& router, RelativePath path)
      : router_(router), path_(std::move(path)) {}
  [[nodiscard]] policies::Action action(const Name& name, store::Kind kind) const override {
    return router_.decide(path_ / name, kind).action;
  }

 private:
  const Router& router_;
  RelativePath path_;
};

}  // namespace

std::shared_ptr<const RoutedDirectory> Router::enter(const RelativePath& directory) const {
  return std::make_shared<const DirectoryByPath>(*this, directory);
}

Coverage Router::coverage_below(const RelativePath& /*directory*/) const {
  return Coverage::kMixed;
}

store::Area area_of(const Decision& decision) {
  if (decision.action == Action::kMachine) return store::Area::kMachine;
  switch (decision.data_class) {
    case DataClass::kData:
      return store::Area::kData;
    case DataClass::kSysdata:
      return store::Area::kSysdata;
    case DataClass::kApp:
      return store::Area::kApp;
  }
  SATCHEL_ASSERT(false);
  return store::Area::kSysdata;
}

}  // namespace satchel::redirector
