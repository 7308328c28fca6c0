#include "store/pack_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "store/directory_names.h"

namespace satchel::store {
namespace {

constexpr std::size_t kFolderNameBytes = 2;

std::string folder_of(const PackId& id) {
  return "packs/" + id.hex().substr(0, kFolderNameBytes);
}

}  // namespace

PackFiles::PackFiles(const RepositoryFolder& folder)
    : folder_(folder), open_(std::in_place, kOpenFilesMax) {}

HostPath PackFiles::path_of(const PackId& id) const {
  return folder_.path() / folder_of(id) / id.hex();
}

Result<std::vector<PackId>> PackFiles::list() const {
  std::vector<PackId> packs;
  const HostPath root = folder_.path() / "packs";
  SATCHEL_ASSIGN(const auto folders, list_directory_names(root));
  for (const std::string& folder : folders) {
    if (folder.size() != kFolderNameBytes) continue;
    SATCHEL_ASSIGN(const auto names, list_directory_names(root / folder));
    for (const std::string& name : names) {
      const auto id = PackId::from_hex(name);
      if (id && name.starts_with(folder)) packs.push_back(*id);
    }
  }
  std::ranges::sort(packs);
  return packs;
}

Result<UniqueFd> PackFiles::open(const PackId& id) const {
  const HostPath path = path_of(id);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return file_error(path.text, "cannot open a pack");
  return fd;
}

Result<std::shared_ptr<const UniqueFd>> PackFiles::open_shared(const PackId& id) {
  if (auto fd = open_.lock()->find(id)) return *fd;
  SATCHEL_ASSIGN(UniqueFd fd, open(id));
  auto shared = std::make_shared<const UniqueFd>(std::move(fd));
  open_.lock()->insert(id, shared, 1);
  return shared;
}

void PackFiles::close_shared() {
  open_.lock()->clear();
}

Result<UniqueFd> PackFiles::start(const std::string& temporary_name) const {
  const HostPath path = folder_.path() / "packs/tmp" / temporary_name;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!fd.valid()) return file_error(path.text, "cannot start a pack");
  return fd;
}

void PackFiles::discard(const std::string& temporary_name) const {
  // What stays behind is removed by a later writer.
  (void)::unlink((folder_.path() / "packs/tmp" / temporary_name).c_str());
}

Result<void> PackFiles::publish(const std::string& temporary_name, const PackId& id) {
  const std::string folder = folder_of(id);
  const HostPath folder_path = folder_.path() / folder;
  if (::mkdir(folder_path.c_str(), 0777) != 0 && errno != EEXIST) {
    return file_error(folder_path.text, "cannot make a folder of packs");
  }
  // Also one that was there already: whoever made it may not have got to this.
  if (!durable_folders_.lock()->contains(folder)) {
    SATCHEL_ASSIGN(const UniqueFd parent, folder_.open_directory("packs"));
    SATCHEL_TRY(fsync_directory(parent.get()));
    durable_folders_.lock()->insert(folder);
  }
  SATCHEL_TRY(fault_point("pack.rename"));
  const HostPath from = folder_.path() / "packs/tmp" / temporary_name;
  const HostPath to = path_of(id);
  if (::rename(from.c_str(), to.c_str()) != 0) return file_error(to.text, "cannot publish a pack");
  SATCHEL_ASSIGN(const UniqueFd directory, folder_.open_directory(folder));
  return fsync_directory(directory.get());
}

}  // namespace satchel::store
