#include "base/fault_point.h"

#include <atomic>
#include <charconv>
#include <csignal>
#include <string>

#include "base/file_io.h"

namespace satchel {
namespace {

enum class Fault { kKill, kEio, kSkip };

// The one mutable global: a crash test is about the process as a whole, and passing this down to
// every place that writes would put it into contracts that have nothing to do with it.
struct Setting {
  std::atomic<bool> is_set = false;
  std::string name;
  std::uint64_t count = 0;
  Fault fault = Fault::kKill;
  std::atomic<std::uint64_t> hits = 0;
};
Setting& setting() {
  static Setting instance;
  return instance;
}

Error bad_setting(std::string_view text) {
  return {.code = EINVAL,
          .sat = Sat::kUsage,
          .message = "'" + std::string(text) + "' is not NAME:COUNT[:kill|eio|skip]"};
}

/// Counts an arrival at `name`; true if it is the one that the setting is about.
bool arrive(std::string_view name) {
  Setting& set = setting();
  if (set.name != "*" && set.name != name) return false;
  const std::uint64_t hit = set.hits.fetch_add(1) + 1;
  return hit == set.count || (set.count == 0 && set.fault == Fault::kSkip);
}

}  // namespace

Result<Step> fault_point(std::string_view name) {
  if (!setting().is_set.load(std::memory_order_relaxed) || !arrive(name)) return Step::kDo;
  switch (setting().fault) {
    case Fault::kKill:
      (void)::raise(SIGKILL);  // does not return
      break;
    case Fault::kEio:
      return Error{.code = EIO, .sat = Sat::kIo, .message = "fault point " + std::string(name)};
    case Fault::kSkip:
      return Step::kLeaveOut;
  }
  return Step::kDo;
}

Result<void> fsync_at_fault_point(std::string_view name, int fd) {
  SATCHEL_ASSIGN(const Step step, fault_point(name));
  return step == Step::kDo ? fsync_fd(fd) : Result<void>{};
}

Result<void> set_fault_point(std::string_view text) {
  Setting& set = setting();
  set.is_set = false;
  set.hits = 0;
  if (text.empty()) return {};
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos) return bad_setting(text);
  const char* const end = text.data() + text.size();
  std::uint64_t count = 0;
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, count);
  const std::string_view fault(rest, static_cast<std::size_t>(end - rest));
  if (error != std::errc{}) return bad_setting(text);
  if (fault.empty() || fault == ":kill") {
    set.fault = Fault::kKill;
  } else if (fault == ":eio") {
    set.fault = Fault::kEio;
  } else if (fault == ":skip") {
    set.fault = Fault::kSkip;
  } else {
    return bad_setting(text);
  }
  set.name = text.substr(0, colon);
  set.count = count;
  set.is_set = true;
  return {};
}

std::uint64_t fault_point_hits() {
  return setting().hits.load();
}

}  // namespace satchel
