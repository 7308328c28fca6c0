#include "redirector/router.h"

namespace satchel::redirector {

using policies::Action;
using policies::DataClass;
using policies::Decision;

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
