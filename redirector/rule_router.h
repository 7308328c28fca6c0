// The router whose answers come from rule files.
#pragma once

#include <memory>

#include "policies/rule_set.h"
#include "redirector/router.h"

namespace satchel::redirector {

/// Decides as `rules` do. Its rules id is that of their canonical text, in which `~`, variables and
/// conditions are replaced: two devices have the same id when the same paths are decided alike.
std::unique_ptr<Router> make_router(policies::RuleSet rules);

/// By the built-in last resort alone, without any rule file.
std::unique_ptr<Router> make_last_resort_router();

}  // namespace satchel::redirector
