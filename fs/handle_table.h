// Open files and directories.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "fs/inode_table.h"
#include "store/ids.h"

namespace satchel::fs {

/// One open file. What it reads follows the node: bytes of its own once it has any, else the base
/// content that was there at open.
struct FileHandle {
  NodeRef opened;  ///< as the kernel knows it
  int flags = 0;
  store::ContentId content;
  std::shared_ptr<Inode> heated;  ///< the kernel writes to it by itself

  std::mutex mutex;  // the two below
  std::shared_ptr<Inode> inode;
  std::shared_ptr<const UniqueFd> bytes;

  /// The node that answers for the one that was opened.
  [[nodiscard]] Node& node() const { return opened->current(); }
  [[nodiscard]] bool is_readable() const;
  [[nodiscard]] bool is_writable() const;
};

/// One open directory. Offsets of base names are ranks in `base`, so that stays as it was at open;
/// after a base switch the ranks are translated by name.
struct DirectoryHandle {
  NodeRef node;

  std::mutex mutex;  // the rest
  std::uint32_t epoch = 0;
  std::shared_ptr<const BaseTree> tree;
  std::optional<BaseDirectory> base;
  /// Names that got their position later are not listed: a reader that renames what it reads would
  /// meet it again for ever.
  std::optional<std::uint64_t> positions_end;
  /// Nothing comes at this offset, as long as the base stays.
  std::optional<std::uint64_t> end_offset;
  /// Names that were only the upper's, and became the base's while this directory was being read:
  /// their places stay good. Ascending.
  std::vector<std::pair<std::uint64_t, std::string>> committed;
};

/// Gives out handle ids and finds what they name. Thread-safe.
class HandleTable {
 public:
  HandleId add(std::shared_ptr<FileHandle> handle);
  HandleId add(std::shared_ptr<DirectoryHandle> handle);
  /// Errors: EBADF.
  Result<std::shared_ptr<FileHandle>> file(HandleId id) const;
  Result<std::shared_ptr<DirectoryHandle>> directory(HandleId id) const;
  std::shared_ptr<FileHandle> remove_file(HandleId id);
  std::shared_ptr<DirectoryHandle> remove_directory(HandleId id);
  [[nodiscard]] std::vector<std::shared_ptr<FileHandle>> files() const;
  [[nodiscard]] std::vector<std::shared_ptr<DirectoryHandle>> directories() const;
  [[nodiscard]] std::uint64_t size() const;

 private:
  mutable std::mutex mutex_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<HandleId, std::shared_ptr<FileHandle>> files_;
  std::unordered_map<HandleId, std::shared_ptr<DirectoryHandle>> directories_;
};

}  // namespace satchel::fs
