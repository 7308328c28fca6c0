#include "store/import/pending_directory.h"

#include <utility>

#include "store/directory.h"

namespace satchel::store {

std::shared_ptr<PendingDirectory> PendingDirectory::make_root(TreeStore& trees) {
  return std::shared_ptr<PendingDirectory>(
      new PendingDirectory(trees));  // NOLINT: the constructor is private
}

std::shared_ptr<PendingDirectory> PendingDirectory::make_child(std::size_t place, Entry entry) {
  auto child = make_root(trees_);
  child->parent_ = shared_from_this();
  child->place_ = place;
  child->entry_ = std::move(entry);
  return child;
}

void PendingDirectory::reserve(std::size_t count) {
  entries_.resize(count);
  missing_ += count;
}

Result<void> PendingDirectory::set(std::size_t place, Entry entry) {
  entries_.at(place) = std::move(entry);
  return finish_one();
}

Result<void> PendingDirectory::close() {
  return finish_one();
}

// Goes upwards by a loop, since a deep chain of directories may wait for one file.
Result<void> PendingDirectory::finish_one() {
  auto directory = shared_from_this();
  while (--directory->missing_ == 0) {
    SATCHEL_TRY(directory->build());
    const auto parent = std::move(directory->parent_);
    if (parent == nullptr) return {};
    parent->entries_.at(directory->place_) = std::move(directory->entry_);
    directory = parent;
  }
  return {};
}

Result<void> PendingDirectory::build() {
  DirectoryBuilder builder(trees_);
  for (const Entry& entry : entries_) SATCHEL_TRY(builder.append(entry));
  entries_ = {};
  SATCHEL_ASSIGN(entry_.directory, builder.finish());
  return {};
}

}  // namespace satchel::store
