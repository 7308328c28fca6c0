#include "syncer/quiet_content.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/file_io.h"
#include "store/content_writer.h"

namespace satchel::syncer {
namespace {

using store::ContentId;

/// Longer than a tick of the kernel's file times: two writes further apart than this differ in
/// them.
constexpr std::chrono::milliseconds kTimesTell{20};

/// What a write changes.
struct Look {
  std::uint64_t size = 0;
  Timestamp mtime;
  Timestamp ctime;
  friend bool operator==(const Look&, const Look&) = default;
};

Result<Look> look_at(int fd) {
  struct stat stat {};
  if (::fstat(fd, &stat) != 0) return file_error("a changed file", "looking at it");
  return Look{static_cast<std::uint64_t>(stat.st_size), Timestamp::from(stat.st_mtim),
              Timestamp::from(stat.st_ctim)};
}

/// Removed, or replaced by another file, since the seal.
bool is_gone(const Error& error) {
  return error.code == ESTALE || error.code == ENOENT;
}

struct Reading {
  Look before;
  Look after;
  std::optional<ContentId> content;  ///< absent: the file became shorter meanwhile
};

Result<std::optional<ContentId>> store_bytes(store::Upload& upload, int fd, std::uint64_t size,
                                             SnapshotCounts& counts) {
  ++counts.files_hashed;
  counts.bytes_hashed += size;
  auto content = store::store_file(upload, fd, size);
  if (!content && content.error().sat == Sat::kBusyFile) return std::nullopt;
  if (!content) return std::move(content).error();
  return *content;
}

Result<Reading> read_once(store::Upload& upload, int fd, SnapshotCounts& counts) {
  Reading reading;
  SATCHEL_ASSIGN(reading.before, look_at(fd));
  SATCHEL_ASSIGN(reading.content, store_bytes(upload, fd, reading.before.size, counts));
  SATCHEL_ASSIGN(reading.after, look_at(fd));
  return reading;
}

/// It grew at every reading, and what it held first is still there.
Result<bool> was_only_appended_to(const std::vector<Reading>& readings, store::Upload& upload,
                                  int fd, SnapshotCounts& counts) {
  const Reading& first = readings.front();
  if (!first.content || first.content->is_empty()) return false;
  const auto size_of = [](const Reading& reading) { return reading.before.size; };
  if (!std::ranges::is_sorted(readings, {}, size_of)) return false;
  if (readings.back().after.size <= first.before.size) return false;
  SATCHEL_ASSIGN(const auto again, store_bytes(upload, fd, first.before.size, counts));
  return again == first.content;
}

}  // namespace

Result<QuietContent> store_quiet_content(store::LiveUpper& upper, store::UpperId id,
                                         store::Generation generation, store::Upload& upload,
                                         SnapshotCounts& counts) {
  ++counts.files_opened;
  auto opened = upper.read(id);
  if (!opened && is_gone(opened.error())) return QuietContent{};
  SATCHEL_ASSIGN(const UniqueFd fd, std::move(opened));
  std::vector<Reading> readings;
  for (unsigned count = 0; count < kHashTriesMax; ++count) {
    SATCHEL_ASSIGN(Reading reading, read_once(upload, fd.get(), counts));
    if (reading.content && reading.before == reading.after) {
      auto unchanged = upper.is_unchanged_since(id, generation);
      if (!unchanged && !is_gone(unchanged.error())) return std::move(unchanged).error();
      const bool is_unchanged = unchanged && *unchanged;
      // It was written after the seal, or may be written unseen: equal times tell only if the last
      // write is some time ago, and of a store through a mapping they need not tell at all.
      const bool has_rested = !readings.empty() && readings.back().after == reading.before &&
                              readings.back().content == reading.content;
      if (is_unchanged || has_rested) {
        return QuietContent{QuietContent::State::kQuiet, *reading.content};
      }
    }
    readings.push_back(reading);
    if (count + 1 < kHashTriesMax) std::this_thread::sleep_for(kTimesTell);
  }
  SATCHEL_ASSIGN(const bool is_appended, was_only_appended_to(readings, upload, fd.get(), counts));
  if (!is_appended) return QuietContent{};
  return QuietContent{QuietContent::State::kAppended, *readings.front().content};
}

}  // namespace satchel::syncer
