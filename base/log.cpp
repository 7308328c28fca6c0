#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cerrno>
#include <exception>

namespace satchel {
namespace {

constexpr std::size_t kFileBytesMax = 10U << 20U;
constexpr std::size_t kOldFilesMax = 3;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

}  // namespace

struct Log::Sink {
  Sink(spdlog::sink_ptr sink, LogLevel level) : logger("satchel", std::move(sink)) {
    logger.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger.set_level(to_spdlog(level));
    logger.flush_on(spdlog::level::warn);
  }
  spdlog::logger logger;
};

Log Log::to_stderr(LogLevel level) {
  return Log(std::make_shared<Sink>(std::make_shared<spdlog::sinks::stderr_sink_mt>(), level));
}

Result<Log> Log::to_file(const HostPath& path, LogLevel level) {
  try {
    errno = 0;
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path.text, kFileBytesMax,
                                                                       kOldFilesMax);
    return Log(std::make_shared<Sink>(std::move(sink), level));
  } catch (const spdlog::spdlog_ex&) {
    return errno_error(path.text, "cannot open the log file");
  }
}

Log Log::to_nowhere() {
  return Log(nullptr);
}

bool Log::enabled(LogLevel level) const {
  return sink_ != nullptr && level != LogLevel::kOff && sink_->logger.should_log(to_spdlog(level));
}

void Log::write(LogLevel level, std::string_view line) const {
  // One event is one line, whatever the names in it hold.
  if (line.find('\n') == std::string_view::npos) {
    sink_->logger.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
    return;
  }
  std::string flat(line);
  for (std::size_t at = flat.find('\n'); at != std::string::npos; at = flat.find('\n', at)) {
    flat.replace(at, 1, "\\n");
  }
  sink_->logger.log(to_spdlog(level), spdlog::string_view_t(flat));
}

void Log::flush() const {
  if (sink_ != nullptr) sink_->logger.flush();
}

}  // namespace satchel
