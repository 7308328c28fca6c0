// After an unclean stop: makes the upper's rows and its files agree again.

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "base/file_io.h"
#include "fs/upper.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kRowsPerStep = 1024;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::optional<UpperId> parse_bytes_name(std::string_view name) {
  UpperId id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  if (Upper::bytes_name(id) != name) return std::nullopt;
  return id;
}

}  // namespace

Result<std::uint64_t> Upper::remove_orphans(std::size_t folder) {
  UniqueFd own(::openat(folders_[folder].get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own.valid()) return file_error({}, "list the folder of changed files");
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(own.get()));
  if (!directory) return file_error({}, "list the folder of changed files");
  (void)own.release();  // the DIR owns it now
  std::uint64_t removed = 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of its own
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const auto id = parse_bytes_name(name);
    if (id && bytes_folder(*id) == folders_[folder].get()) {
      SATCHEL_ASSIGN(const auto row, find_row(*id));
      if (row && row->has_own_bytes() && !row->is_scratch) continue;
    }
    if (::unlinkat(folders_[folder].get(), entry->d_name, 0) != 0) {
      return file_error({}, "remove a changed file that nothing refers to");
    }
    ++removed;
  }
  return removed;
}

Result<bool> Upper::repair_row(UpperId id, InodeRow& row) {
  struct stat found {};
  if (::fstatat(bytes_folder(id), bytes_name(id).c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return file_error({}, "look at a changed file");
    // Only a power cut does this: the row reached the medium, its file was never fsynced. As on
    // other filesystems, such a file comes back empty.
    SATCHEL_ASSIGN(const UniqueFd fd, create_bytes(id));
    if (::fstat(fd.get(), &found) != 0) return file_error({}, "look at a changed file");
    log_->warn("a file that was never synced is empty after the power cut id={}", id);
  }
  InodeRow repaired = row;
  repaired.live.size = static_cast<std::uint64_t>(found.st_size);
  repaired.live.blocks = static_cast<std::uint64_t>(found.st_blocks);
  const Timestamp bytes_mtime = Timestamp::from(found.st_mtim);
  if (bytes_mtime != row.bytes_mtime) {
    repaired.live.mtime = std::max(row.live.mtime, bytes_mtime);
    repaired.live.ctime = std::max(row.live.ctime, bytes_mtime);
    repaired.bytes_mtime = bytes_mtime;
  }
  if (repaired == row) return false;
  repaired.live.data_generation = generation();
  row = std::move(repaired);
  return true;
}

Result<std::uint64_t> Upper::repair_rows() {
  std::uint64_t repaired = 0;
  std::string next;
  for (bool more = true; more;) {
    std::vector<std::pair<UpperId, InodeRow>> rows;
    std::optional<Error> error;
    std::size_t seen = 0;
    more = false;
    SATCHEL_TRY(db_.scan(kInodes, {}, next, [&](std::string_view key, std::string_view value) {
      if (seen++ == kRowsPerStep) {
        next = key;
        more = true;
        return store::MetadataDb::Walk::kStop;
      }
      auto row = decode_row(value);
      if (!row) {
        error = std::move(row).error();
        return store::MetadataDb::Walk::kStop;
      }
      if (row->has_own_bytes() && !row->is_scratch)
        rows.emplace_back(decode_key(key), *std::move(row));
      return store::MetadataDb::Walk::kContinue;
    }));
    if (error) return std::move(*error);
    store::MetadataBatch batch;
    for (auto& [id, row] : rows) {
      // A descriptor that the kernel writes to by itself outlives its mount.
      if (find_writers(id) == Writers::kSome) written_.push_back(id);
      SATCHEL_ASSIGN(const bool changed, repair_row(id, row));
      if (!changed) continue;
      put_row(batch, id, row);
      ++repaired;
    }
    if (!batch.is_empty()) SATCHEL_TRY(db_.write(batch));
  }
  return repaired;
}

}  // namespace satchel::fs
