#include "store/write_probe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/file_io.h"
#include "store/directory_names.h"

namespace satchel::store {
namespace {

constexpr std::int64_t kAbandonedSeconds = std::int64_t{24} * 60 * 60;
// What link(2) answers where there is none: FAT, some FUSE and SMB mounts.
constexpr std::array kNoLink = {EPERM, EOPNOTSUPP, ENOSYS, EMLINK, EINVAL, EXDEV};

Error missing_feature(const RepositoryFolder& folder, std::string_view feature) {
  return {.code = EOPNOTSUPP,
          .sat = Sat::kMissingFeature,
          .message = "the filesystem lacks " + std::string(feature),
          .path = folder.path().text,
          .hint = "a repository needs exclusive creation, rename and fsync"};
}

/// A file of the probe; removed at the end.
class ProbeFile {
 public:
  explicit ProbeFile(HostPath path) : path_(std::move(path)) {}
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;
  ~ProbeFile() { (void)::unlink(path_.c_str()); }  // if it was made at all

  [[nodiscard]] UniqueFd create() const {
    return UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  }
  [[nodiscard]] const char* c_str() const { return path_.c_str(); }
  [[nodiscard]] const std::string& text() const { return path_.text; }

 private:
  HostPath path_;
};

Result<LinkSupport> try_link(const ProbeFile& from, const ProbeFile& to) {
  if (::link(from.c_str(), to.c_str()) == 0) {
    struct stat status {};
    // Some filesystems copy.
    if (::stat(to.c_str(), &status) == 0 && status.st_nlink == 2) return LinkSupport::kPresent;
    return LinkSupport::kMissing;
  }
  if (std::ranges::find(kNoLink, errno) != kNoLink.end()) return LinkSupport::kMissing;
  return file_error(from.text(), "cannot link a file");
}

void remove_abandoned(const HostPath& directory, std::int64_t now_seconds) {
  const auto names = list_directory_names(directory);
  if (!names) return;  // whoever needs the folder will say so
  for (const std::string& name : *names) {
    const HostPath path = directory / name;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (now_seconds - status.st_mtim.tv_sec <= kAbandonedSeconds) continue;
    (void)::unlink(path.c_str());  // another writer may have been quicker
  }
}

}  // namespace

Result<LinkSupport> probe_for_writing(const RepositoryFolder& folder, const std::string& nonce) {
  const HostPath directory = folder.path() / "refs/tmp";
  const ProbeFile first(directory / (nonce + ".probe"));
  const ProbeFile linked(directory / (nonce + ".link"));
  const ProbeFile renamed(directory / (nonce + ".rename"));

  const UniqueFd fd = first.create();
  if (!fd.valid()) {
    if (errno == EROFS || errno == EACCES || errno == EPERM) return folder.read_only_error();
    return folder.explain(file_error(first.text(), "cannot make a file"));
  }
  const auto written = pwrite_all(fd.get(), as_bytes(nonce), 0);
  if (!written) return folder.explain(written.error());
  if (::fsync(fd.get()) != 0) {
    if (errno == EINVAL || errno == ENOSYS) return missing_feature(folder, "fsync");
    return folder.explain(file_error(first.text(), "cannot make a file durable"));
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_error(first.text(), "cannot stat a file");

  SATCHEL_ASSIGN(const LinkSupport links, try_link(first, linked));
  if (::rename(first.c_str(), renamed.c_str()) != 0) return missing_feature(folder, "rename");
  if (renamed.create().valid()) return missing_feature(folder, "exclusive creation");

  remove_abandoned(directory, status.st_mtim.tv_sec);
  remove_abandoned(folder.path() / "packs/tmp", status.st_mtim.tv_sec);
  return links;
}

}  // namespace satchel::store
