#include "base/version.h"

namespace satchel {

std::string_view version() {
  return SATCHEL_VERSION;
}

}  // namespace satchel
