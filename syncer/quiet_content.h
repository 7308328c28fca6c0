// The bytes of a file that may change while they are read: stored only if they stood still.
#pragma once

#include <cstdint>
#include <optional>

#include "store/live_upper.h"
#include "store/upload.h"

namespace satchel::syncer {

/// How often a file that moves is read before its old content is carried over.
inline constexpr unsigned kHashTriesMax = 3;

struct SnapshotCounts {
  std::uint64_t files_opened = 0;
  std::uint64_t files_hashed = 0;  ///< a file read three times counts three times
  std::uint64_t bytes_hashed = 0;
};

struct QuietContent {
  enum class State : std::uint8_t {
    kQuiet,     ///< `content` is what the file holds
    kAppended,  ///< it kept growing: `content` is what it held first
    kBusy,      ///< it kept changing, or is gone: no content
  };
  State state = State::kBusy;
  store::ContentId content;
};

/// Stores the content of a changed file in `upload`. A write between the look before and the look
/// after a reading makes that one void. Errors: those of LiveUpper and Upload.
Result<QuietContent> store_quiet_content(store::LiveUpper& upper, store::UpperId id,
                                         store::Generation generation, store::Upload& upload,
                                         SnapshotCounts& counts);

}  // namespace satchel::syncer
