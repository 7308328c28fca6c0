// Time, so that tests can hold it still.
#pragma once

#include <compare>
#include <cstdint>
#include <ctime>

namespace satchel {

/// Nanoseconds since 1970-01-01 UTC split as the kernel does it; may be before 1970.
struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;  ///< 0…999,999,999

  static Timestamp from(const timespec& value) {
    return {value.tv_sec, static_cast<std::uint32_t>(value.tv_nsec)};
  }
  [[nodiscard]] timespec to_timespec() const {
    return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
  }
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

/// Where "now" comes from. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp now() const = 0;
};

/// CLOCK_REALTIME.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override;
};

}  // namespace satchel
