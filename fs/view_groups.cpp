#include "fs/view_groups.h"

#include <limits>
#include <unordered_set>
#include <utility>

#include "fs/view_reader.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

using store::GroupMember;
using store::PathGroup;
using store::Unrest;

constexpr std::size_t kBatchNames = 1024;
/// One that no rule spells.
constexpr std::string_view kAnyName = "file";

Timestamp earlier(const Timestamp& time, std::chrono::milliseconds by) {
  const std::int64_t nanoseconds = (by % 1000).count() * 1'000'000;
  Timestamp result{time.seconds - by / std::chrono::seconds(1), time.nanoseconds};
  if (result.nanoseconds < nanoseconds) {
    --result.seconds;
    result.nanoseconds += 1'000'000'000;
  }
  result.nanoseconds -= static_cast<std::uint32_t>(nanoseconds);
  return result;
}

/// Goes through what is changed below a directory. The lock of names is held.
class UnrestSearch {
 public:
  UnrestSearch(ViewState& view, const View::PathFilter& is_member, const store::QuietTerms& terms)
      : view_(view), is_member_(is_member), since_(terms.unchanged_since) {
    if (terms.unchanged_for > std::chrono::milliseconds::zero()) {
      after_ = earlier(view.context.clock.now(), terms.unchanged_for);
    }
  }

  Result<std::vector<Unrest>> run(const RelativePath& root) {
    SATCHEL_TRY(find_writers(root));
    SATCHEL_ASSIGN(const std::optional<UpperId> id, find_root(root));
    if (id) directories_.emplace_back(*id, root);
    while (!directories_.empty()) {
      const auto [directory, path] = std::move(directories_.back());
      directories_.pop_back();
      SATCHEL_TRY(look_into(directory, path));
    }
    return std::move(found_);
  }

 private:
  /// A writer of a base file has not written yet: the first write gives it an inode.
  Result<void> find_writers(const RelativePath& root) {
    for (const auto& file : view_.handles.files()) {
      const Node& node = file->node();
      if (!file->is_writable() || node.is_removed) continue;
      if (node.inode) {
        writers_.insert(node.inode->id);
        continue;
      }
      const auto path = view_.seen_path_of(node);
      if (path && path->is_within(root) && is_member_(*path, store::Kind::kFile)) {
        found_.push_back({*path, Unrest::Cause::kOpenForWriting});
      }
    }
    view_.cool_all();
    for (const NodeRef& node : view_.hot_nodes()) writers_.insert(node->inode->id);
    return {};
  }

  /// Goes down to the root of the group. None: all that stands there is as in the base, or nothing
  /// does. It is another directory than it was if one above was moved.
  Result<std::optional<UpperId>> find_root(const RelativePath& root) {
    std::optional<UpperId> at = kRootUpper;
    bool has_moved = false;
    for (const Name& name : root.names()) {
      SATCHEL_ASSIGN(const auto dentry, view_.upper->find_dentry(*at, name.text()));
      if (dentry) has_moved = has_moved || is_later(dentry->generation);
      at.reset();
      if (!dentry || dentry->kind != store::Kind::kDirectory) break;
      at = dentry->child;
    }
    if (has_moved) {
      found_.push_back({root, Unrest::Cause::kChanged});
    } else if (at) {
      SATCHEL_TRY(look_at(*at, root));
    }
    return at;
  }

  Result<void> look_into(UpperId directory, const RelativePath& path) {
    std::string from;
    for (bool more = true; more;) {
      SATCHEL_ASSIGN(const auto names, view_.upper->list_dentries(directory, from, kBatchNames));
      more = names.size() == kBatchNames;
      if (more) from = names.back().name + '\0';
      for (const NamedDentry& name : names) {
        // What is gone, the directory tells of.
        if (name.dentry.is_whiteout()) continue;
        const RelativePath child = path / Name::checked(name.name);
        if (name.dentry.kind == store::Kind::kDirectory) {
          directories_.emplace_back(name.dentry.child, child);
        }
        if (!is_member_(child, name.dentry.kind)) continue;
        if (is_later(name.dentry.generation)) {
          found_.push_back({child, Unrest::Cause::kChanged});
        } else {
          SATCHEL_TRY(look_at(name.dentry.child, child));
        }
      }
    }
    return {};
  }

  Result<void> look_at(UpperId id, const RelativePath& path) {
    if (writers_.contains(id)) {
      found_.push_back({path, Unrest::Cause::kOpenForWriting});
      return {};
    }
    const NodeRef node = view_.table.find_upper(id);
    bool has_changed = false;
    if (node) {
      Inode& inode = *node->inode;
      const std::lock_guard lock(inode.live_mutex);  // memory is ahead of the row
      view_.catch_up(inode);
      if (inode.is_hot && view_.upper->has_writers(id)) {  // by a mapping
        found_.push_back({path, Unrest::Cause::kOpenForWriting});
        return {};
      }
      has_changed = is_changed(inode.row);
    } else {
      SATCHEL_ASSIGN(const auto row, view_.upper->find_row(id));
      has_changed = row && is_changed(*row);
    }
    if (has_changed) found_.push_back({path, Unrest::Cause::kChanged});
    return {};
  }

  [[nodiscard]] bool is_changed(const InodeRow& row) const {
    if (is_later(row.generation) || is_later(row.live.data_generation)) return true;
    return after_ && row.live.ctime > *after_;
  }
  [[nodiscard]] bool is_later(Generation generation) const {
    return since_ && generation > *since_;
  }

  ViewState& view_;
  const View::PathFilter& is_member_;
  std::optional<Generation> since_;
  std::optional<Timestamp> after_;
  std::unordered_set<UpperId> writers_;
  std::vector<std::pair<UpperId, RelativePath>> directories_;
  std::vector<Unrest> found_;
};

}  // namespace

Result<std::vector<Unrest>> View::find_unrest(const RelativePath& directory,
                                              const PathFilter& is_member,
                                              const store::QuietTerms& terms) {
  if (!state_->upper) return std::vector<Unrest>();
  const std::shared_lock lock(state_->names);
  return UnrestSearch(*state_, is_member, terms).run(directory);
}

bool ViewGroups::is_member(const PathGroup& group, const RelativePath& path,
                           store::Kind kind) const {
  return find_group(path, kind) == group;
}

std::optional<PathGroup> ViewGroups::find_group(const RelativePath& path, store::Kind kind) const {
  const policies::Decision decision = router_.decide(path, kind);
  if (decision.attributes.group.empty()) return std::nullopt;
  return PathGroup{.name = std::string(decision.attributes.group),
                   .root = policies::group_root_of(path, decision)};
}

Result<std::vector<GroupMember>> ViewGroups::list_members(const PathGroup& group) {
  const ViewReader reader(view_);
  std::vector<GroupMember> members;
  SATCHEL_ASSIGN(const auto mode, reader.find_mode(group.root, ViewReader::LastLink::kKeep));
  if (!mode || !S_ISDIR(*mode)) return members;
  std::vector<RelativePath> directories{group.root};
  while (!directories.empty()) {
    const RelativePath directory = std::move(directories.back());
    directories.pop_back();
    const auto items = reader.list_items(directory, std::numeric_limits<std::size_t>::max());
    if (!items && items.error().code == ENOENT) continue;  // it went away meanwhile
    SATCHEL_TRY(items);
    for (const auto& [name, type] : *items) {
      const RelativePath path = directory / name;
      SATCHEL_ASSIGN(const store::Kind kind, known_kind(type));
      if (is_member(group, path, kind)) members.push_back({path, kind});
      if (kind == store::Kind::kDirectory) directories.push_back(path);
    }
  }
  return members;
}

Result<std::vector<Unrest>> ViewGroups::find_unrest(const PathGroup& group,
                                                    const store::QuietTerms& terms) {
  const auto counts = [&](const RelativePath& path, store::Kind kind) {
    if (!is_member(group, path, kind)) return false;
    // Names come and go in a cache all the time, and hardly one of them is the group's.
    return kind != store::Kind::kDirectory ||
           is_member(group, path / Name::checked(kAnyName), store::Kind::kFile);
  };
  return view_.find_unrest(group.root, counts, terms);
}

}  // namespace satchel::fs
