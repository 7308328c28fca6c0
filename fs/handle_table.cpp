#include "fs/handle_table.h"

#include <fcntl.h>

namespace satchel::fs {
namespace {

template <typename Map>
typename Map::mapped_type take(Map& map, HandleId id) {
  const auto found = map.find(id);
  if (found == map.end()) return nullptr;
  auto handle = std::move(found->second);
  map.erase(found);
  return handle;
}

template <typename Map>
Result<typename Map::mapped_type> get(const Map& map, HandleId id) {
  const auto found = map.find(id);
  if (found == map.end()) return Error{.code = EBADF};
  return found->second;
}

template <typename Map>
std::vector<typename Map::mapped_type> values(const Map& map) {
  std::vector<typename Map::mapped_type> all;
  all.reserve(map.size());
  for (const auto& [id, handle] : map) all.push_back(handle);
  return all;
}

}  // namespace

bool FileHandle::is_readable() const {
  return (flags & O_ACCMODE) != O_WRONLY;
}
bool FileHandle::is_writable() const {
  return (flags & O_ACCMODE) != O_RDONLY;
}

HandleId HandleTable::add(std::shared_ptr<FileHandle> handle) {
  const std::lock_guard lock(mutex_);
  const HandleId id{next_id_++};
  files_.emplace(id, std::move(handle));
  return id;
}

HandleId HandleTable::add(std::shared_ptr<DirectoryHandle> handle) {
  const std::lock_guard lock(mutex_);
  const HandleId id{next_id_++};
  directories_.emplace(id, std::move(handle));
  return id;
}

Result<std::shared_ptr<FileHandle>> HandleTable::file(HandleId id) const {
  const std::lock_guard lock(mutex_);
  return get(files_, id);
}

Result<std::shared_ptr<DirectoryHandle>> HandleTable::directory(HandleId id) const {
  const std::lock_guard lock(mutex_);
  return get(directories_, id);
}

std::shared_ptr<FileHandle> HandleTable::remove_file(HandleId id) {
  const std::lock_guard lock(mutex_);
  return take(files_, id);
}

std::shared_ptr<DirectoryHandle> HandleTable::remove_directory(HandleId id) {
  const std::lock_guard lock(mutex_);
  return take(directories_, id);
}

std::vector<std::shared_ptr<FileHandle>> HandleTable::files() const {
  const std::lock_guard lock(mutex_);
  return values(files_);
}

std::vector<std::shared_ptr<DirectoryHandle>> HandleTable::directories() const {
  const std::lock_guard lock(mutex_);
  return values(directories_);
}

std::uint64_t HandleTable::size() const {
  const std::lock_guard lock(mutex_);
  return files_.size() + directories_.size();
}

}  // namespace satchel::fs
