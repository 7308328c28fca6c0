// What an object store and its parts share.
#pragma once

#include <condition_variable>
#include <memory>
#include <unordered_map>

#include "base/guarded.h"
#include "store/object_folders.h"

namespace satchel::store {

struct ObjectStore::State {
  explicit State(ObjectFolders opened) : folders(std::move(opened)) {}

  const ObjectFolders folders;
  /// An entry stays until its part has saved itself and given up its file, so that whoever wants
  /// the content again waits for that and does not start a second part.
  Guarded<std::unordered_map<ContentId, std::weak_ptr<Part>>> parts;
  std::condition_variable part_closed;
};

}  // namespace satchel::store
