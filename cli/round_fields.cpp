#include "cli/round_fields.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>

namespace satchel::cli {
namespace {

constexpr std::array kCountKeys = {"files_opened", "files_hashed",   "pages_encoded", "chunks_new",
                                   "bytes_sent",   "bytes_received", "round_trips"};

}  // namespace

fs::ControlFields to_fields(const syncer::RoundCounts& counts) {
  const std::array numbers = {counts.files_opened, counts.files_hashed, counts.pages_encoded,
                              counts.chunks_new,   counts.bytes_sent,   counts.bytes_received,
                              counts.round_trips};
  static_assert(numbers.size() == kCountKeys.size());
  fs::ControlFields fields;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    fields.emplace_back(fmt::format("last_{}", kCountKeys.at(i)), std::to_string(numbers.at(i)));
  }
  fields.emplace_back("last_seconds", fmt::format("{:.6f}", counts.seconds));
  return fields;
}

fs::ControlFields to_fields(const syncer::RoundReport& report) {
  fs::ControlFields fields = to_fields(report.counts);
  fields.emplace_back("result", std::string(syncer::to_text(report.result)));
  fields.emplace_back("version", std::to_string(report.version));
  for (const syncer::Conflict& conflict : report.conflicts) {
    fields.emplace_back("conflict_kind", std::string(syncer::to_text(conflict.kind)));
    fields.emplace_back("conflict_path", conflict.path.absolute());
  }
  for (const RelativePath& path : report.busy) fields.emplace_back("busy", path.absolute());
  return fields;
}

std::uint64_t find_number(const fs::ControlFields& fields, std::string_view key) {
  const std::string_view text = fs::find_field(fields, key);
  std::uint64_t number = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);  // nothing there: 0
  return number;
}

Json last_round(const fs::ControlFields& fields) {
  if (fs::find_field(fields, "last_seconds").empty()) return nullptr;
  Json last;
  for (const char* const key : kCountKeys) {
    last[key] = find_number(fields, fmt::format("last_{}", key));
  }
  last["seconds"] =
      std::strtod(std::string(fs::find_field(fields, "last_seconds")).c_str(), nullptr);
  return last;
}

}  // namespace satchel::cli
