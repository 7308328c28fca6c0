#include "cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/output.h"

namespace satchel::cli {
namespace {

constexpr std::chrono::seconds kPlainInterval{10};
constexpr std::chrono::milliseconds kTerminalInterval{200};

}  // namespace

ProgressLine::Style progress_style(bool is_quiet) {
  if (is_quiet) return ProgressLine::Style::kNone;
  return ::isatty(STDERR_FILENO) == 1 ? ProgressLine::Style::kTerminal
                                      : ProgressLine::Style::kPlain;
}

std::string to_text(const std::string& what, const Progress& progress,
                    std::chrono::duration<double> elapsed) {
  std::string text = fmt::format("{}  {} files  {}", what, progress.files, to_size(progress.bytes));
  const double rate =
      elapsed.count() > 0 ? static_cast<double>(progress.bytes) / elapsed.count() : 0;
  if (progress.bytes_total > 0) {
    const std::uint64_t done = std::min(progress.bytes, progress.bytes_total);
    text += fmt::format(" of {}  ({} %)", to_size(progress.bytes_total),
                        done * 100 / progress.bytes_total);
  }
  text += fmt::format("  {}/s", to_size(static_cast<std::uint64_t>(rate)));
  if (progress.bytes_total > progress.bytes && rate > 0) {
    const auto left = static_cast<std::uint64_t>(
        static_cast<double>(progress.bytes_total - progress.bytes) / rate);
    text += fmt::format("  {}:{:02} left", left / 60, left % 60);
  }
  return text;
}

ProgressLine::ProgressLine(std::string what, Style style)
    : what_(std::move(what)),
      style_(style),
      start_(std::chrono::steady_clock::now()),
      shown_(start_) {}

ProgressLine::~ProgressLine() {
  if (has_line_) (void)std::fputs("\r\033[K", stderr);  // only looks
}

void ProgressLine::show(const Progress& progress) {
  if (style_ == Style::kNone) return;
  const TimePoint now = std::chrono::steady_clock::now();
  const bool is_terminal = style_ == Style::kTerminal;
  if (is_terminal ? now - shown_ < kTerminalInterval : now - shown_ < kPlainInterval) return;
  shown_ = now;
  const std::string text = to_text(what_, progress, now - start_);
  // Progress that cannot be shown is not worth an error.
  (void)std::fputs((is_terminal ? "\r\033[K" + text : text + "\n").c_str(), stderr);
  has_line_ = is_terminal;
}

}  // namespace satchel::cli
