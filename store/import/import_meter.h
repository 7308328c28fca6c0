// How far an import is, and whether it shall stop.
#pragma once

#include <atomic>
#include <chrono>

#include "store/import/importer.h"

namespace satchel::store {

/// Counts by any thread; tick() by the one that the import was called from.
class ImportMeter {
 public:
  static constexpr std::chrono::milliseconds kInterval{100};

  explicit ImportMeter(const ImportOptions& options) : options_(options) {}

  void add_file() { ++files_; }
  /// Bytes read; negative if they will be read again.
  void add_bytes(std::int64_t bytes) { bytes_ += bytes; }
  void set_bytes_total(std::uint64_t bytes) { bytes_total_ = bytes; }
  /// Reports, if the last time is kInterval ago. Errors: EINTR/kInterrupted.
  Result<void> tick();

 private:
  const ImportOptions& options_;
  std::atomic<std::uint64_t> files_ = 0;
  std::atomic<std::int64_t> bytes_ = 0;
  std::uint64_t bytes_total_ = 0;
  std::chrono::steady_clock::time_point last_report_{};
};

}  // namespace satchel::store
