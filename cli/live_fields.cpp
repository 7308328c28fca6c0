#include "cli/live_fields.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "store/entry.h"

namespace satchel::cli {
namespace {

store::Kind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return store::Kind::kDirectory;
    case S_IFLNK:
      return store::Kind::kSymlink;
    case S_IFCHR:
      return store::Kind::kCharDevice;
    case S_IFBLK:
      return store::Kind::kBlockDevice;
    case S_IFIFO:
      return store::Kind::kFifo;
    case S_IFSOCK:
      return store::Kind::kSocket;
    default:
      return store::Kind::kFile;
  }
}

}  // namespace

fs::ControlFields live_fields(const fs::NodeStat& stat) {
  return {{"kind", std::to_string(static_cast<unsigned>(kind_of(stat.mode)))},
          {"mode", std::to_string(stat.mode & 07777U)},
          {"uid", std::to_string(stat.uid)},
          {"gid", std::to_string(stat.gid)},
          {"size", std::to_string(stat.size)},
          {"mtime", fmt::format("{}.{:09}", stat.mtime.seconds, stat.mtime.nanoseconds)}};
}

}  // namespace satchel::cli
