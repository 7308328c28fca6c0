#include "cli/live_fields.h"

#include <fmt/format.h>

#include "store/entry.h"

namespace satchel::cli {

fs::ControlFields live_fields(const fs::NodeStat& stat) {
  const store::Kind kind = store::kind_of_mode(stat.mode).value_or(store::Kind::kFile);
  return {{"kind", std::to_string(static_cast<unsigned>(kind))},
          {"mode", std::to_string(stat.mode & 07777U)},
          {"uid", std::to_string(stat.uid)},
          {"gid", std::to_string(stat.gid)},
          {"size", std::to_string(stat.size)},
          {"mtime", fmt::format("{}.{:09}", stat.mtime.seconds, stat.mtime.nanoseconds)}};
}

}  // namespace satchel::cli
