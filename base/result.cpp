#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace satchel::detail {

void assertion_failed(const char* condition, const char* file, int line) {
  // Straight to stderr: whatever else there is may be what broke.
  (void)std::fprintf(stderr, "satchel: assertion failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace satchel::detail
