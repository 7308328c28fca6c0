// Progress on stderr: one line with rate and time left on a terminal, else a plain line each 10 s.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace satchel::cli {

/// How far some work has come.
struct Progress {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_total = 0;  ///< 0 if not known
};

/// Not thread-safe.
class ProgressLine {
 public:
  enum class Style : std::uint8_t { kNone, kTerminal, kPlain };
  /// `what` is what is being done: "importing".
  ProgressLine(std::string what, Style style);
  /// Clears the terminal's line.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void show(const Progress& progress);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  std::string what_;
  Style style_;
  TimePoint start_;
  TimePoint shown_;
  bool has_line_ = false;
};

/// For stderr, unless `is_quiet`.
ProgressLine::Style progress_style(bool is_quiet);
/// "importing  1,204 files  12.3 MiB of 80.0 MiB  (15 %)  4.1 MiB/s  0:16 left"
std::string to_text(const std::string& what, const Progress& progress,
                    std::chrono::duration<double> elapsed);

}  // namespace satchel::cli
