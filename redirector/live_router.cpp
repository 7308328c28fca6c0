#include "redirector/live_router.h"

#include <utility>

namespace satchel::redirector {

LiveRouter::LiveRouter(std::unique_ptr<const Router> first) : current_(first.get()) {
  routers_.lock()->push_back(std::move(first));
}

policies::Decision LiveRouter::decide(const RelativePath& path, store::Kind kind) const {
  return current().decide(path, kind);
}

Coverage LiveRouter::coverage_below(const RelativePath& directory) const {
  return current().coverage_below(directory);
}

std::shared_ptr<const RoutedDirectory> LiveRouter::enter(const RelativePath& directory) const {
  return current().enter(directory);
}

store::RulesId LiveRouter::rules_id() const {
  return current().rules_id();
}

bool LiveRouter::replace(std::unique_ptr<const Router> next) {
  const auto routers = routers_.lock();
  if (next->rules_id() == current().rules_id()) return false;
  current_.store(next.get());
  ++edition_;
  routers->push_back(std::move(next));
  return true;
}

}  // namespace satchel::redirector
