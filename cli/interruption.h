// SIGINT and SIGTERM: a command ends with 130 and leaves nothing half-written.
#pragma once

#include <functional>
#include <string>

namespace satchel::cli {

/// From now on these signals end the process at once with exit code 130, after `text` has gone to
/// stdout. Right for all that only reads, and for what becomes visible in one step.
void exit_when_interrupted(const std::string& text);

/// While it lives, the signals only make is_interrupted() true: for work that ends by itself.
class InterruptionWatch {
 public:
  InterruptionWatch();
  ~InterruptionWatch();
  InterruptionWatch(const InterruptionWatch&) = delete;
  InterruptionWatch& operator=(const InterruptionWatch&) = delete;
  [[nodiscard]] static bool is_interrupted();
};

}  // namespace satchel::cli
