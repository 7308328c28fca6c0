// Log lines: event first, then key=value. The one door to spdlog.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/path.h"

namespace satchel {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

/// Thread-safe. File names are private: `debug` only, save in an error shown to their owner.
class Log {
 public:
  static Log to_stderr(LogLevel level);
  /// Appends; rotates at 10 MiB, keeps 3. Errors: EACCES, ENOENT, EROFS.
  static Result<Log> to_file(const HostPath& path, LogLevel level);
  static Log to_nowhere();

  template <typename... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) const {
    if (enabled(LogLevel::kError))
      write(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) const {
    if (enabled(LogLevel::kWarn))
      write(LogLevel::kWarn, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    if (enabled(LogLevel::kInfo))
      write(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) const {
    if (enabled(LogLevel::kDebug))
      write(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
  }
  [[nodiscard]] bool enabled(LogLevel level) const;
  void flush() const;

 private:
  struct Sink;
  explicit Log(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
  void write(LogLevel level, std::string_view line) const;
  std::shared_ptr<Sink> sink_;
};

}  // namespace satchel
