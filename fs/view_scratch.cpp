// What rules discard: its bytes are in scratch, and all of it goes at the end of the mount.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/file_io.h"
#include "fs/change.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kBatchNames = 1024;

enum class Whiteouts : std::uint8_t { kLeftOut, kIncluded };

/// All changed names of a directory.
Result<std::vector<NamedDentry>> names_in(const Upper& upper, UpperId directory,
                                          Whiteouts whiteouts) {
  std::vector<NamedDentry> found;
  std::string from;
  for (bool more = true; more;) {
    SATCHEL_ASSIGN(auto names, upper.list_dentries(directory, from, kBatchNames));
    more = names.size() == kBatchNames;
    if (more) from = names.back().name + '\0';
    for (NamedDentry& name : names) {
      if (name.dentry.is_whiteout() && whiteouts == Whiteouts::kLeftOut) continue;
      found.push_back(std::move(name));
    }
  }
  return found;
}

}  // namespace

bool ViewState::discards(const RelativePath& path, store::Kind kind) const {
  return context.router.decide(path, kind).action == policies::Action::kDiscard;
}

bool ViewState::discards(Node& directory, const Name& name) {
  return !directory.is_removed &&
         action_of(directory, name, store::Kind::kFile) == policies::Action::kDiscard;
}

Result<void> ViewState::keep_bytes(Inode& inode) {
  const std::lock_guard io_lock(inode.io_mutex);
  const std::lock_guard live_lock(inode.live_mutex);
  if (!upper->is_scratch(inode.id)) return {};
  SATCHEL_ASSIGN(const UniqueFd fd, upper->keep_bytes(inode.id));
  // Whoever has the file open goes on with the same descriptor, which is the kept file's now.
  const auto open = inode.bytes.lock();
  if (open && ::dup3(fd.get(), open->get(), O_CLOEXEC) < 0) {
    return file_error({}, "open a file that left the scratch memory");
  }
  upper->forget_scratch(inode.id);
  return {};
}

Result<void> ViewState::leave_scratch(Change& change, UpperId id) {
  const NodeRef node = table.find_upper(id);
  if (node) {
    // A row that is merely looked at must not count as changed.
    if (!node->inode->row.is_scratch) return {};
    SATCHEL_ASSIGN(Change::Edit * edit, change.edit(*node));
    SATCHEL_TRY(keep_bytes(*node->inode));
    edit->row.is_scratch = false;
    return {};
  }
  SATCHEL_ASSIGN(auto row, upper->find_row(id));
  if (!row || !row->is_scratch) return {};
  if (upper->is_scratch(id)) {
    SATCHEL_TRY(upper->keep_bytes(id));
    upper->forget_scratch(id);
  }
  row->is_scratch = false;
  Upper::put_row(change.batch(), id, *row);
  return {};
}

Result<void> ViewState::leave_scratch_below(Change& change, UpperId directory,
                                            const RelativePath& path) {
  for (const UpperId id : scratch_directories) {
    std::vector<Name> below;  // deepest first
    UpperId above = id;
    while (above != directory && above != kRootUpper) {
      SATCHEL_ASSIGN(const NodeRef node, node_of_directory(above));
      below.push_back(Name::checked(node->inode->row.name));
      above = node->inode->row.parent;
    }
    if (above != directory) continue;
    RelativePath at = path;
    for (auto name = below.rbegin(); name != below.rend(); ++name) at = at / *name;
    SATCHEL_TRY(leave_scratch_in(change, id, at));
  }
  return {};
}

Result<void> ViewState::leave_scratch_in(Change& change, UpperId directory,
                                         const RelativePath& path) {
  SATCHEL_ASSIGN(const auto changed, names_in(*upper, directory, Whiteouts::kLeftOut));
  for (const NamedDentry& name : changed) {
    if (name.dentry.kind != store::Kind::kFile) continue;
    if (discards(path / Name::checked(name.name), name.dentry.kind)) continue;
    SATCHEL_TRY(leave_scratch(change, name.dentry.child));
  }
  return {};
}

Result<void> ViewState::place_moved(Change& change, Node& moved, Node& directory, const Name& name,
                                    OtherNames others) {
  if (moved.is_directory()) {
    if (!moved.inode) return {};  // all of it is the base's
    return leave_scratch_below(change, moved.inode->id, path_of(directory) / name);
  }
  if (moved.kind != store::Kind::kFile) return {};
  SATCHEL_ASSIGN(Change::Edit * edit, change.edit(moved));
  if (!discards(directory, name)) return leave_scratch(change, edit->inode->id);
  if (edit->row.content && others == OtherNames::kNone) {
    edit->row.is_scratch = true;  // bytes of its own will be there
  }
  return {};
}

namespace {

/// Takes away what is discarded, deepest first; what the base has there is seen again.
class Emptying {
 public:
  explicit Emptying(ViewState& view) : view_(view) {}

  Result<void> run() { return empty(*view_.table.root(), {}); }
  [[nodiscard]] std::uint64_t removed() const { return removed_; }

 private:
  Result<void> empty(Node& directory, const RelativePath& path) {
    SATCHEL_ASSIGN(const auto names,
                   names_in(*view_.upper, directory.inode->id, Whiteouts::kIncluded));
    std::vector<Name> going;
    for (const NamedDentry& name : names) {
      const RelativePath child = path / Name::checked(name.name);
      SATCHEL_ASSIGN(const bool goes, goes_away(directory, name, child));
      if (goes) going.push_back(child.name());
    }
    if (going.empty()) return {};
    removed_ += going.size();
    Change change(view_);
    std::vector<NodeRef> held;
    for (const Name& name : going) {
      SATCHEL_ASSIGN(const auto child, view_.find_child(directory, name));
      NodeRef node;
      if (child) {
        SATCHEL_ASSIGN(node, view_.node_of(directory, name, *child));
        SATCHEL_TRY(view_.remove_child(change, directory, name, *node));
        held.push_back(std::move(node));
      }
      SATCHEL_TRY(uncover(change, directory, name));
    }
    return change.commit();
  }

  Result<void> uncover(Change& change, Node& directory, const Name& name) {
    SATCHEL_ASSIGN(const auto below, view_.find_in_base(directory, name));
    if (!below) return {};
    SATCHEL_TRY(change.uncover_name(directory, name));
    if (below->entry.is_directory()) {
      SATCHEL_ASSIGN(Change::Edit * parent, change.edit(directory));
      ++parent->row.subdirectories;
    }
    return {};
  }

  Result<bool> goes_away(Node& directory, const NamedDentry& name, const RelativePath& path) {
    if (name.dentry.is_whiteout()) {
      SATCHEL_ASSIGN(const auto below, view_.find_in_base(directory, path.name()));
      return below && view_.discards(path, below->entry.kind);
    }
    if (name.dentry.kind == store::Kind::kDirectory) {
      return empty_directory(name.dentry.child, path);
    }
    return file_goes_away(directory, name.dentry, path);
  }

  /// Files whose bytes were in a scratch that is gone have nothing left to be kept.
  Result<bool> file_goes_away(const Node& directory, const Dentry& dentry,
                              const RelativePath& path) {
    if (view_.discards(path, dentry.kind)) return true;
    if (dentry.kind != store::Kind::kFile) return false;
    SATCHEL_ASSIGN(const auto row, view_.upper->find_row(dentry.child));
    if (!row || !row->is_scratch) return false;
    if (row->has_own_bytes() && !view_.upper->is_scratch(dentry.child)) return true;
    view_.scratch_directories.insert(directory.inode->id);
    return false;
  }

  Result<bool> empty_directory(UpperId id, const RelativePath& path) {
    SATCHEL_ASSIGN(const NodeRef node, view_.node_of_directory(id));
    SATCHEL_TRY(empty(*node, path));
    if (node->inode->row.base_path || !view_.discards(path, store::Kind::kDirectory)) return false;
    return view_.is_empty(*node);
  }

  ViewState& view_;
  std::uint64_t removed_ = 0;
};

}  // namespace

Result<void> View::empty_scratch() {
  if (!state_->upper) return {};
  {
    const std::unique_lock lock(state_->names);
    Emptying emptying(*state_);
    SATCHEL_TRY(emptying.run());
    const std::lock_guard counts_lock(state_->link_counts_mutex);
    state_->link_counts.clear();  // names of the base are seen again
    if (emptying.removed() > 0) {
      state_->context.log.info("discarded names={}", emptying.removed());
    }
  }
  state_->settle();
  return {};
}

Result<void> View::keep_what_left_scratch() {
  if (!state_->upper) return {};
  const std::unique_lock lock(state_->names);
  Change change(*state_);
  SATCHEL_TRY(state_->leave_scratch_below(change, kRootUpper, {}));
  return change.commit();
}

}  // namespace satchel::fs
