#include "cli/output.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/path.h"
#include "syncer/conflicts_tree.h"

namespace satchel::cli {
namespace {

/// The number for an error that has none of its own, by what scripts need to tell apart.
Sat number_of(const Error& error) {
  if (error.sat != Sat::kNone) return error.sat;
  switch (error.code) {
    case ENOENT:
      return Sat::kNotFound;
    case EEXIST:
      return Sat::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
      return Sat::kNoSpace;
    case EROFS:
      return Sat::kReadOnly;
    case EIO:
      return Sat::kIo;
    case EBADMSG:
      return Sat::kCorrupted;
    case EUCLEAN:
      return Sat::kContradiction;
    case ENETUNREACH:
      return Sat::kOffline;
    case ETIMEDOUT:
      return Sat::kTimeout;
    case ENOTCONN:
      return Sat::kTransport;
    case EINTR:
      return Sat::kInterrupted;
    default:
      return Sat::kNone;
  }
}

std::string reason_of(const Error& error) {
  if (!error.message.empty()) return error.message;
  const char* const known = ::strerrordesc_np(error.code);
  return known != nullptr ? known : "error " + std::to_string(error.code);
}

Json to_json(const Error& error) {
  Json object;
  object["code"] = to_text(number_of(error));
  object["exit"] = exit_code_of(error);
  set_text(object, "message", reason_of(error));
  set_text(object, "path", error.path);
  set_text(object, "hint", error.hint);
  return object;
}

Json envelope(const std::string& command, const Json& data,
              const std::vector<std::string>& warnings, const std::optional<Error>& error) {
  Json document;
  document["satchel"] = 1;
  document["command"] = command;
  document["ok"] = !error.has_value();
  document["data"] = data;
  document["warnings"] = warnings;
  document["error"] = error ? to_json(*error) : Json(nullptr);
  return document;
}

std::string to_line(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string for_people(const Error& error) {
  std::string text = "satchel: " + to_text(error);
  const Sat number = number_of(error);
  if (number != Sat::kNone) text += "  [" + to_text(number) + "]";
  return text + "\n";
}

bool write_text(std::FILE* stream, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stream) == text.size() &&
         std::fflush(stream) == 0;
}

/// What cannot be written to stdout has not been said, so the command has failed.
int print_result(const std::string& text, int exit_code) {
  if (write_text(stdout, text)) return exit_code;
  const Error error = errno_error("the standard output", "writing");
  (void)write_text(stderr, for_people(error));  // nobody else could be told
  return exit_code != 0 ? exit_code : 1;
}

}  // namespace

int print_outcome(const Session& session, const std::string& command, const Outcome& outcome) {
  const int exit_code = outcome.error ? exit_code_of(*outcome.error) : 0;
  if (session.is_json) {
    return print_result(to_line(envelope(command, outcome.data, outcome.warnings, outcome.error)),
                        exit_code);
  }
  if (!session.is_quiet) {
    for (const std::string& warning : outcome.warnings) {
      (void)write_text(stderr, "satchel: " + warning + "\n");  // a warning less is no failure
    }
  }
  const int code = print_result(outcome.text, exit_code);
  if (outcome.error) (void)write_text(stderr, for_people(*outcome.error));  // the code says it too
  return code;
}

int print_failure(const Session& session, const std::string& command, const Error& error) {
  if (session.is_json) {
    return print_result(to_line(envelope(command, nullptr, {}, error)), exit_code_of(error));
  }
  (void)write_text(stderr, for_people(error));  // the exit code says it too
  return exit_code_of(error);
}

std::string interruption_text(const Session& session, const std::string& command) {
  Error error;
  error.code = EINTR;
  error.sat = Sat::kInterrupted;
  error.message = "interrupted";
  return session.is_json ? to_line(envelope(command, nullptr, {}, error)) : "";
}

bool is_utf8(std::string_view bytes) {
  try {
    const Json text = std::string(bytes);
    (void)text.dump();  // the library's own decoder: it throws at what is not UTF-8
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

std::string to_base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8U | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= group.size() ? kDigits[bits >> (18U - 6U * i) & 63U] : '=';
    }
  }
  return text;
}

void set_text(Json& object, const std::string& key, std::string_view bytes) {
  if (is_utf8(bytes)) {
    object[key] = std::string(bytes);
  } else {
    object[key + "_b64"] = to_base64(bytes);
  }
}

std::string to_size(std::uint64_t bytes) {
  static constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (size >= 1024 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", size, kUnits.at(unit));
}

std::string to_time(const Timestamp& time) {
  std::string text = syncer::to_rfc3339(time);
  text.pop_back();
  return text + fmt::format(".{:09}Z", time.nanoseconds);
}

std::string to_local_time(const Timestamp& time) {
  const std::time_t seconds = time.seconds;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace satchel::cli
