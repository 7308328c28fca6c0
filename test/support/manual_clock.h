// A clock that moves only when a test says so.
#pragma once

#include "base/clock.h"
#include "base/guarded.h"

namespace satchel::test {

/// Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = {.seconds = 1'700'000'000, .nanoseconds = 0})
      : now_(std::in_place, start) {}
  [[nodiscard]] Timestamp now() const override { return *now_.lock(); }
  void set(Timestamp now) { *now_.lock() = now; }
  void advance_seconds(std::int64_t seconds) { now_.lock()->seconds += seconds; }

 private:
  Guarded<Timestamp> now_;
};

}  // namespace satchel::test
