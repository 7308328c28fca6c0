// One atomic change of the upper.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fs/view_state.h"

namespace satchel::fs {

/// Collects what one operation changes, writes it as one batch, and only then lets memory follow:
/// an error on the way leaves both as they were. What was changed is seen by later steps of the
/// same change, through its own methods.
///
/// A directory with a change inside has a row, and so have all above it; they are made on the way.
/// The view's lock of names is held exclusively for as long as it lives.
class Change {
 public:
  explicit Change(ViewState& view);

  /// A row that is going to be written.
  struct Edit {
    std::shared_ptr<Inode> inode;
    InodeRow row;  ///< its `live` counts for a new inode only
    std::optional<Timestamp> atime, mtime, ctime;
    std::optional<std::uint64_t> size, blocks;
    bool is_new = false;
    bool is_removed = false;  ///< the row goes; who has the inode open keeps it
    bool is_stored = true;
  };

  /// One clock reading for the whole operation.
  [[nodiscard]] const Timestamp& now() const { return now_; }

  /// The row of `node`. A base entry gets one first, and its names, without copying a byte. A file
  /// that has lost its last name, or never had one, is changed in memory only.
  Result<Edit*> edit(Node& node);
  /// The row of a directory in which names change: as edit(), with the times that go with it.
  Result<Edit*> edit_names(Node& directory);
  /// The next inode that this change makes gets the number `id`, under which its bytes wait.
  void number_next(UpperId id) { next_id_ = id; }
  /// A new inode. `is_stored`: it has a name.
  Result<Edit*> add(InodeRow row, bool is_stored = true);
  /// The inode of a base entry that loses its only name: nothing but memory knows it from now on.
  Result<Edit*> add_removed(Node& node);

  /// `name` in `directory` leads to `child`, whatever was there before.
  Result<void> put_name(Node& directory, const Name& name, const Edit& child);
  /// `name` in `directory` leads nowhere: a whiteout if the base has it.
  Result<void> drop_name(Node& directory, const Name& name);
  /// `name` in `directory` leads to what the base has there, if anything.
  Result<void> uncover_name(Node& directory, const Name& name);

  /// The row goes, with what belongs to a directory's row.
  Result<void> remove(Edit& edit);
  /// Runs after the batch is written.
  void after_commit(std::function<void()> action) { after_.push_back(std::move(action)); }
  [[nodiscard]] store::MetadataBatch& batch() { return batch_; }

  /// This change takes space, if it is not one that gives up a name: see store::SpaceUse.
  void takes_space() { takes_space_ = true; }

  Result<void> commit(store::Durability durability = store::Durability::kProcessCrash);

 private:
  struct StagedName {
    std::optional<Dentry> before, after;
  };
  Result<Edit*> edit_directory(Node& directory);
  void attach(Node& node, Edit& edit);
  Result<Edit*> edit_linked(Node& node, const store::LocatedEntry& located);
  Result<bool> base_has(Node& directory, const Name& name);
  /// What `name` becomes; until that is said, it stays what it is.
  Result<StagedName*> stage(UpperId directory, const std::string& name);
  Result<void> mark_unseen(const RelativePath& path);
  void put_edits();
  /// Brings row.live up to memory; true if the inode is hot.
  bool copy_live(Edit& edit);
  void put_names();
  void note_scratch();
  /// Says what became of names.
  void tell(ChangeWatch& watch) const;
  void apply(Edit& edit);

  ViewState& view_;
  Timestamp now_;
  Generation generation_;
  UpperId next_id_ = 0;
  bool takes_space_ = false;
  bool drops_name_ = false;
  store::MetadataBatch batch_;
  std::map<UpperId, Edit> edits_;
  std::map<Node*, Edit*> attached_;
  std::map<std::pair<UpperId, std::string>, StagedName> names_;
  std::vector<NodeRef> kept_;
  std::vector<std::function<void()>> after_;
};

}  // namespace satchel::fs
