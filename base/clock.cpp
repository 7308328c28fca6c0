#include "base/clock.h"

#include "base/result.h"

namespace satchel {

Timestamp SystemClock::now() const {
  timespec value{};
  SATCHEL_ASSERT(::clock_gettime(CLOCK_REALTIME, &value) == 0);
  return Timestamp::from(value);
}

}  // namespace satchel
