// Listing directories: the base's names by rank, then the names that only the upper has.

#include <sys/stat.h>

#include "fs/view_state.h"

namespace satchel::fs {
namespace {

// Offsets: 0 ".", 1 "..", then rank + 2 for a base name, and from here on the position of a name
// that only the upper has. Each item carries the offset of the one after it.
constexpr std::uint64_t kRanksStart = 2;
constexpr std::uint64_t kPositionsStart = std::uint64_t{1} << 40U;
/// Items that are collected under the lock before they are shown without it.
constexpr std::size_t kBatchItems = 128;

/// An item, and what its name leads to, if that is asked for: nothing for "." and "..".
struct Listed {
  View::DirectoryItem item;
  UpperId upper = 0;
  std::unique_ptr<store::LocatedEntry> base;  ///< if `upper` is 0
};
enum class Wants : std::uint8_t { kNames, kChildren };

/// Those of `dentries` that only the upper has.
std::vector<PositionedName> by_position(const std::vector<NamedDentry>& dentries) {
  std::vector<PositionedName> names;
  names.reserve(dentries.size());
  for (const auto& [name, dentry] : dentries) {
    if (dentry.position != 0) names.push_back({.position = dentry.position, .name = name});
  }
  std::ranges::sort(names, {}, &PositionedName::position);
  return names;
}

/// Collects one batch of items of one directory. The view's lock of names is held.
class Lister {
 public:
  Lister(ViewState& view, DirectoryHandle& handle, Wants wants)
      : view_(view), handle_(handle), wants_(wants) {}

  Result<std::vector<Listed>> list(std::uint64_t offset) {
    SATCHEL_TRY(follow_base(offset));
    Node& node = *handle_.node;
    if (node.is_removed || handle_.end_offset == offset) return std::move(items_);
    if (offset < kRanksStart) SATCHEL_TRY(add_dots(offset));
    if (offset < kPositionsStart) SATCHEL_TRY(add_base(std::max(offset, kRanksStart)));
    SATCHEL_TRY(bound_positions());
    if (!is_full()) SATCHEL_TRY(add_upper(std::max(offset, kPositionsStart) - kPositionsStart));
    // Each reader asks once more where the directory ends.
    if (is_at_end_) handle_.end_offset = items_.empty() ? offset : items_.back().item.next_offset;
    return std::move(items_);
  }

 private:
  [[nodiscard]] bool is_full() const { return items_.size() >= kBatchItems; }

  /// Ranks are those of the base directory at open; a base switch in between translates them.
  Result<void> follow_base(std::uint64_t& offset) {
    if (handle_.tree == view_.base && handle_.epoch == view_.epoch) return {};
    SATCHEL_ASSIGN(const auto now, view_.base_of(*handle_.node));
    if (offset <= kRanksStart) handle_.committed.clear();  // they are still to come, as base names
    if (handle_.tree && offset > kRanksStart && offset < kPositionsStart) {
      std::string from;
      if (handle_.base) {
        SATCHEL_ASSIGN(const auto old,
                       store::DirectoryCursor::at_rank(view_.context.trees, handle_.base->page,
                                                       offset - kRanksStart - 1));
        if (!old.at_end()) from = old.entry().name.text() + '\0';
      }
      std::uint64_t rank = 0;
      if (now) {
        SATCHEL_ASSIGN(const auto cursor,
                       store::DirectoryCursor::at_name(view_.context.trees, now->page, from));
        rank = cursor.rank();
      }
      offset = rank + kRanksStart;
      // Of the names that have become the base's, those from here on come in its order.
      std::erase_if(handle_.committed, [&](const auto& item) { return item.second >= from; });
    }
    handle_.end_offset.reset();
    handle_.tree = view_.base;
    handle_.epoch = view_.epoch;
    handle_.base = now;
    return {};
  }

  /// Once, when the reading begins.
  Result<void> bound_positions() {
    if (handle_.positions_end || !view_.upper) return {};
    SATCHEL_ASSIGN(handle_.positions_end, view_.upper->next_number());
    return {};
  }

  Result<void> add_dots(std::uint64_t offset) {
    Node& node = *handle_.node;
    SATCHEL_ASSIGN(const NodeStat own, view_.stat_of(node));
    if (offset == 0) add(".", own.ino, S_IFDIR, 1);
    std::uint64_t parent_ino = own.ino;
    if (node.parent != nullptr) {
      SATCHEL_ASSIGN(const NodeStat above, view_.stat_of(*node.parent));
      parent_ino = above.ino;
    }
    add("..", parent_ino, S_IFDIR, kRanksStart);
    return {};
  }

  /// Base names in order, each as the upper has it: unchanged, replaced or deleted.
  Result<void> add_base(std::uint64_t offset) {
    if (!handle_.base) return {};
    SATCHEL_ASSIGN(auto cursor, store::DirectoryCursor::at_rank(
                                    view_.context.trees, handle_.base->page, offset - kRanksStart));
    std::vector<NamedDentry> changed;
    std::size_t at = 0;
    bool has_more = handle_.node->inode != nullptr;
    while (!cursor.at_end() && !is_full()) {
      const store::Entry& entry = cursor.entry();
      const std::string& name = entry.name.text();
      if (at == changed.size() && has_more) {
        SATCHEL_ASSIGN(changed,
                       view_.upper->list_dentries(handle_.node->inode->id, name, kBatchItems));
        at = 0;
        has_more = changed.size() == kBatchItems;
      }
      while (at < changed.size() && changed[at].name < name) ++at;
      if (at == changed.size() && has_more) continue;
      const std::uint64_t next = cursor.rank() + kRanksStart + 1;
      if (at < changed.size() && changed[at].name == name) {
        add_changed(name, changed[at].dentry, next);
      } else {
        add_unchanged(name, entry, entry.effective_file_id(handle_.base->file_id), next);
      }
      SATCHEL_TRY(cursor.next());
    }
    return {};
  }

  Result<void> add_upper(std::uint64_t from) {
    auto committed = std::lower_bound(
        handle_.committed.begin(), handle_.committed.end(), from,
        [](const auto& item, std::uint64_t position) { return item.first < position; });
    std::vector<PositionedName> names;
    std::vector<NamedDentry> dentries;
    if (handle_.node->inode) {
      const UpperId id = handle_.node->inode->id;
      // A directory of few names is read once, whole.
      if (from == 0) {
        SATCHEL_ASSIGN(dentries, view_.upper->list_dentries(id, {}, kBatchItems));
      }
      if (from == 0 && dentries.size() < kBatchItems) {
        names = by_position(dentries);
      } else {
        SATCHEL_ASSIGN(names, view_.upper->list_positions(id, from, kBatchItems));
      }
    }
    for (auto name = names.begin(); !is_full();) {
      const bool is_live = name != names.end() && (committed == handle_.committed.end() ||
                                                   name->position < committed->first);
      // A batch that was cut off says nothing of what lies behind it.
      if (name == names.end() && names.size() == kBatchItems) break;
      is_at_end_ = !is_live && committed == handle_.committed.end();
      if (is_at_end_) break;
      const std::uint64_t position = is_live ? name->position : committed->first;
      is_at_end_ = handle_.positions_end && position >= *handle_.positions_end;
      if (is_at_end_) break;
      const std::string& text = is_live ? name->name : committed->second;
      SATCHEL_TRY(add_child(text, position, dentries));
      if (is_live) {
        ++name;
      } else {
        ++committed;
      }
    }
    return {};
  }

  /// `dentries`: some of the directory's, ascending by name.
  Result<void> add_child(const std::string& text, std::uint64_t position,
                         const std::vector<NamedDentry>& dentries) {
    const std::uint64_t next = kPositionsStart + position + 1;
    Node& directory = *handle_.node;
    const auto known = std::ranges::lower_bound(dentries, text, {}, &NamedDentry::name);
    if (known != dentries.end() && known->name == text) {
      add_changed(text, known->dentry, next);
      return {};
    }
    if (directory.inode) {
      SATCHEL_ASSIGN(const auto dentry, view_.upper->find_dentry(directory.inode->id, text));
      if (dentry) {
        add_changed(text, *dentry, next);
        return {};
      }
    }
    SATCHEL_ASSIGN(const auto base, view_.find_in_base(directory, Name::checked(text)));
    if (base) add_unchanged(text, base->entry, base->file_id, next);
    return {};
  }

  void add_changed(std::string_view name, const Dentry& dentry, std::uint64_t next) {
    if (dentry.is_whiteout()) return;
    add(name, dentry.ino, store::type_bits(dentry.kind), next);
    if (wants_ == Wants::kChildren) items_.back().upper = dentry.child;
  }

  void add_unchanged(std::string_view name, const store::Entry& entry, const store::FileId& file_id,
                     std::uint64_t next) {
    add(name, store::inode_number(file_id), store::type_bits(entry.kind), next);
    if (wants_ == Wants::kChildren) {
      items_.back().base = std::make_unique<store::LocatedEntry>(
          store::LocatedEntry{.entry = entry, .file_id = file_id});
    }
  }

  void add(std::string_view name, std::uint64_t ino, mode_t type, std::uint64_t next) {
    Listed& added = items_.emplace_back();
    added.item = {.name = std::string(name), .ino = ino, .type = type, .next_offset = next};
  }

  ViewState& view_;
  DirectoryHandle& handle_;
  Wants wants_;
  std::vector<Listed> items_;
  bool is_at_end_ = false;
};

/// The next batch of `handle`. The view's lock of names is held.
Result<std::vector<Listed>> list(ViewState& view, DirectoryHandle& handle, std::uint64_t offset,
                                 Wants wants) {
  const std::lock_guard lock(handle.mutex);
  if (offset == 0) {
    handle.committed.clear();  // rewinddir(3)
    handle.tree.reset();
    handle.positions_end.reset();
    handle.end_offset.reset();
    view.touch_atime(*handle.node, handle.node->inode.get());
  }
  return Lister(view, handle, wants).list(offset);
}

}  // namespace

Result<HandleId> View::open_directory(NodeId id) {
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(NodeRef node, state_->require_directory(id));
  auto handle = std::make_shared<DirectoryHandle>();
  handle->node = std::move(node);
  return state_->handles.add(std::move(handle));
}

Result<void> View::read_directory(HandleId id, std::uint64_t offset,
                                  const std::function<bool(const DirectoryItem&)>& visit) {
  SATCHEL_ASSIGN(const auto handle, state_->handles.directory(id));
  for (;;) {
    std::vector<Listed> batch;
    {
      const std::shared_lock lock(state_->names);
      SATCHEL_ASSIGN(batch, list(*state_, *handle, offset, Wants::kNames));
    }
    // `visit` may look names up, so no lock is held.
    if (batch.empty()) return {};
    for (const Listed& listed : batch) {
      if (!visit(listed.item)) return {};
    }
    offset = batch.back().item.next_offset;
  }
}

Result<void> View::read_directory_plus(HandleId id, std::uint64_t offset,
                                       const DirectoryPlusVisitor& visitor) {
  SATCHEL_ASSIGN(const auto handle, state_->handles.directory(id));
  Node& directory = *handle->node;
  for (;;) {
    // What a name leads to is true until the lock is given back.
    const std::shared_lock lock(state_->names);
    SATCHEL_ASSIGN(const auto batch, list(*state_, *handle, offset, Wants::kChildren));
    if (batch.empty()) return {};
    for (const auto& [item, upper, base] : batch) {
      if (!visitor.has_room(item)) return {};
      if (upper == 0 && !base) {
        visitor.visit(item, nullptr);
        continue;
      }
      const Name name = Name::checked(item.name);
      SATCHEL_ASSIGN(NodeRef node, base ? state_->node_of_base(directory, name, *base)
                                        : state_->node_of_upper(directory, name, upper));
      SATCHEL_ASSIGN(const NodeReply found, state_->reply_with(std::move(node), base.get()));
      visitor.visit(item, &found);
    }
    offset = batch.back().item.next_offset;
  }
}

Result<void> View::sync_names() {
  if (!state_->upper) return {};
  return state_->upper->sync();
}

void View::release_directory(HandleId id) {
  state_->handles.remove_directory(id).reset();
  state_->settle();
}

}  // namespace satchel::fs
