// The trees and layers that a record keeps alive.
#pragma once

#include <vector>

#include "store/refs.h"

namespace satchel::store {

/// Every root that a reader of the version may ask for; without "none".
std::vector<RootId> list_roots(const RefBody& body);

}  // namespace satchel::store
