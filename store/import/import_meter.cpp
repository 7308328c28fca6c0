#include "store/import/import_meter.h"

namespace satchel::store {

Result<void> ImportMeter::tick() {
  if (options_.interrupted && options_.interrupted()) {
    return Error{.code = EINTR, .sat = Sat::kInterrupted, .message = "the import was interrupted"};
  }
  const auto now = std::chrono::steady_clock::now();
  if (!options_.progress || now - last_report_ < kInterval) return {};
  last_report_ = now;
  options_.progress({.files = files_,
                     .bytes = static_cast<std::uint64_t>(bytes_.load()),
                     .bytes_total = bytes_total_});
  return {};
}

}  // namespace satchel::store
