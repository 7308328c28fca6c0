// Which Satchel this is.
#pragma once

#include <string_view>

namespace satchel {

/// As CMake's project() says it: "0.1.0".
std::string_view version();

}  // namespace satchel
