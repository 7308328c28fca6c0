#include "fs/switch_plan.h"

#include <algorithm>

#include "fs/switch_rows.h"

namespace satchel::fs {
namespace {

/// Three values of one field: what still equals the snapshot's takes the next base's.
template <typename Value>
void merge_field(Value& own, const Value& snapshot, const Value& next) {
  if (own == snapshot) own = next;
}

void merge_xattrs(store::Xattrs& own, const store::Xattrs& snapshot, const store::Xattrs& next) {
  std::set<std::string> names;
  for (const store::Xattrs* xattrs : {static_cast<const store::Xattrs*>(&own), &snapshot, &next}) {
    for (const auto& [name, value] : *xattrs) names.insert(name);
  }
  const auto value_in = [](const store::Xattrs& xattrs, const std::string& name) {
    const auto found = xattrs.find(name);
    return found == xattrs.end() ? std::optional<std::string>() : std::optional(found->second);
  };
  for (const std::string& name : names) {
    if (value_in(own, name) != value_in(snapshot, name)) continue;
    if (const auto value = value_in(next, name)) {
      own[name] = *value;
    } else {
      own.erase(name);
    }
  }
}

bool same_fields(const InodeRow& row, const store::Attributes& attributes,
                 const store::Xattrs& xattrs) {
  return row.mode == attributes.mode && row.uid == attributes.uid && row.gid == attributes.gid &&
         row.live.mtime == attributes.mtime && row.xattrs == xattrs;
}

std::optional<store::Entry> entry_of(const std::optional<store::LocatedEntry>& located) {
  return located ? std::optional(located->entry) : std::nullopt;
}

class Planner {
 public:
  Planner(const SwitchInput& input, SwitchRows rows) : input_(input), rows_(std::move(rows)) {}

  Result<SwitchPlan> run() {
    note_all();
    for (SwitchDirectory& directory : rows_.directories) SATCHEL_TRY(judge_files(directory));
    for (auto& [id, file] : rows_.files) SATCHEL_TRY(settle_file(id, file));
    // What is in a directory decides whether it stays.
    for (auto directory = rows_.directories.rbegin(); directory != rows_.directories.rend();
         ++directory) {
      SATCHEL_TRY(settle_directory(*directory));
    }
    // Parents first: memory follows in this order.
    for (const SwitchDirectory& directory : rows_.directories) put_directory(directory);
    put_places();
    for (const auto& [id, file] : rows_.files) put_file(id, file);
    Upper::put_base(plan_.batch, {.root = input_.change.base_root,
                                  .version = input_.change.base_version,
                                  .image_root = input_.change.image_root});
    return std::move(plan_);
  }

 private:
  void note_all() {
    for (const SwitchDirectory& directory : rows_.directories) {
      file_ids_.insert(directory.row.file_id);
    }
    for (const auto& [id, file] : rows_.files) file_ids_.insert(file.row.file_id);
  }

  [[nodiscard]] bool is_sealed(Generation generation) const {
    return generation <= input_.change.generation;
  }

  /// What `file` holds, if that is known and nothing can have changed it since the seal.
  [[nodiscard]] std::optional<store::ContentId> known_content(UpperId id,
                                                              const InodeRow& row) const {
    if (input_.written.contains(id) || !is_sealed(row.live.data_generation)) return std::nullopt;
    if (row.content) return row.content;
    const auto hashed = input_.change.contents.find(id);
    if (hashed == input_.change.contents.end()) return std::nullopt;
    return hashed->second;
  }

  [[nodiscard]] bool is_in_snapshot(UpperId id, const InodeRow& row,
                                    const store::Entry& entry) const {
    if (entry.kind != row.kind || entry.target != row.target || entry.device != row.device) {
      return false;
    }
    return row.kind != store::Kind::kFile || known_content(id, row) == entry.content;
  }

  /// Which names of files the snapshot has as they are.
  Result<void> judge_files(const SwitchDirectory& directory) {
    for (const NamedDentry& name : directory.names) {
      const auto found = rows_.files.find(name.dentry.child);
      if (found == rows_.files.end()) continue;
      SwitchFile& file = found->second;
      const Name text = Name::checked(name.name);
      SATCHEL_ASSIGN(const auto before, find_in(input_.snapshot, directory.in_snapshot, text));
      SATCHEL_ASSIGN(const auto after, find_in(input_.next, directory.in_next, text));
      const bool is_same = directory.sealed && before && is_sealed(name.dentry.generation) &&
                           input_.change.travels(*directory.sealed / text, file.row.kind) &&
                           is_in_snapshot(found->first, file.row, before->entry);
      if (is_same) ++file.names_in_snapshot;
      if (file.is_placed && !(is_same && !file.path)) continue;
      file.is_placed = true;
      if (is_same) file.path = *directory.sealed / text;
      file.in_snapshot = before;
      file.in_next = after;
    }
    return {};
  }

  Result<void> settle_file(UpperId id, SwitchFile& file) {
    InodeRow& row = file.row;
    file.is_dropped = !file.is_new && row.names > 0 && file.names_in_snapshot == row.names &&
                      is_sealed(row.generation) && !input_.written.contains(id);
    if (row.kind == store::Kind::kFile && !is_sealed(row.live.data_generation)) {
      file.is_dropped = false;
    }
    const auto content = known_content(id, row);
    if (file.is_dropped) {
      if (row.has_own_bytes() && is_same_content(file.in_next, content)) {
        plan_.adopted.emplace_back(id, *content);
      }
      return {};
    }
    if (file.is_new) return {};
    const bool is_known =
        content && file.in_snapshot && is_in_snapshot(id, row, file.in_snapshot->entry);
    if (!file.in_snapshot || !file.in_next) return {};
    const store::Entry& snapshot = file.in_snapshot->entry;
    const store::Entry& next = file.in_next->entry;
    if (snapshot.kind != row.kind || next.kind != row.kind) return {};
    SATCHEL_TRY(merge_attributes(row, snapshot, next));
    // The names of a linked file may have become parts with ids of their own.
    if (row.names == 1 && !snapshot.linked && !next.linked) {
      merge_file_id(row, *file.in_snapshot, *file.in_next);
    }
    if (row.kind == store::Kind::kFile && is_known) {
      if (row.has_own_bytes()) plan_.adopted.emplace_back(id, *content);
      if (next.content != *content) plan_.renewed[id];
      row.content = next.content;
      row.live.size = row.content->size;
      row.live.blocks = (row.content->size + 511) / 512;
    }
    return {};
  }

  static bool is_same_content(const std::optional<store::LocatedEntry>& located,
                              const std::optional<store::ContentId>& content) {
    return located && content && located->entry.kind == store::Kind::kFile &&
           located->entry.content == *content;
  }

  Result<void> merge_attributes(InodeRow& row, const store::Entry& snapshot,
                                const store::Entry& next) {
    merge_field(row.mode, snapshot.attributes.mode, next.attributes.mode);
    merge_field(row.uid, snapshot.attributes.uid, next.attributes.uid);
    merge_field(row.gid, snapshot.attributes.gid, next.attributes.gid);
    merge_field(row.live.mtime, snapshot.attributes.mtime, next.attributes.mtime);
    if (snapshot.attributes.xattrs == next.attributes.xattrs) return {};
    SATCHEL_ASSIGN(const auto old_xattrs, input_.snapshot.xattrs(snapshot));
    SATCHEL_ASSIGN(const auto new_xattrs, input_.next.xattrs(next));
    merge_xattrs(row.xattrs, old_xattrs, new_xattrs);
    return {};
  }

  Result<void> settle_directory(SwitchDirectory& directory) {
    std::int64_t subdirectories = 0;
    if (directory.in_next) {
      subdirectories = static_cast<std::int64_t>(directory.in_next->entry.directory.subdirectories);
    }
    bool keeps_names = false;
    for (const NamedDentry& name : directory.names) {
      const Name text = Name::checked(name.name);
      SATCHEL_ASSIGN(const auto after, find_in(input_.next, directory.in_next, text));
      SATCHEL_ASSIGN(const auto kept, settle_name(directory, name, after));
      put_name(directory, name, kept);
      if (!kept) continue;
      keeps_names = true;
      if (kept->kind == store::Kind::kDirectory) ++subdirectories;
      if (after && after->entry.is_directory()) --subdirectories;
    }
    InodeRow& row = directory.row;
    const bool is_root = directory.id == kRootUpper;
    const SwitchDirectory& parent = rows_.directories[directory.parent];
    const bool is_at_place =
        is_root || (directory.sealed && parent.sealed && parent.in_snapshot && !directory.is_new &&
                    *directory.sealed == *parent.sealed / Name::checked(directory.name));
    const bool is_same =
        is_at_place && directory.in_snapshot &&
        (!row.own_attributes ||
         (is_sealed(row.generation) &&
          (is_root || input_.change.travels(*directory.sealed, store::Kind::kDirectory))));
    directory.is_kept = is_root || keeps_names || !is_same;
    if (!directory.is_kept) return {};
    row.subdirectories = static_cast<std::uint64_t>(std::max<std::int64_t>(subdirectories, 0));
    row.base_path = directory.next_base;
    if (!directory.in_next) {
      row.own_attributes = true;
      return {};
    }
    const store::LocatedEntry& next = *directory.in_next;
    if (is_same) return take_attributes(row, next);
    if (!directory.in_snapshot) {
      take_file_id(row, next.file_id);  // one directory from now on
      return {};
    }
    merge_file_id(row, *directory.in_snapshot, next);
    SATCHEL_TRY(merge_attributes(row, directory.in_snapshot->entry, next.entry));
    SATCHEL_ASSIGN(const auto xattrs, input_.next.xattrs(next.entry));
    row.own_attributes = !same_fields(row, next.entry.attributes, xattrs);
    return {};
  }

  void merge_file_id(InodeRow& row, const store::LocatedEntry& snapshot,
                     const store::LocatedEntry& next) {
    if (row.file_id == snapshot.file_id) take_file_id(row, next.file_id);
  }

  /// Not if another row has it: the other side has renamed that file to this place.
  void take_file_id(InodeRow& row, const store::FileId& file_id) {
    if (file_ids_.insert(file_id).second) row.file_id = file_id;
  }

  Result<void> take_attributes(InodeRow& row, const store::LocatedEntry& next) {
    const store::Attributes& attributes = next.entry.attributes;
    take_file_id(row, next.file_id);
    row.mode = attributes.mode;
    row.uid = attributes.uid;
    row.gid = attributes.gid;
    row.live.mtime = attributes.mtime;
    SATCHEL_ASSIGN(row.xattrs, input_.next.xattrs(next.entry));
    row.own_attributes = false;
    return {};
  }

  /// What a name is after the switch; nullopt: the base's.
  Result<std::optional<Dentry>> settle_name(const SwitchDirectory& directory,
                                            const NamedDentry& name,
                                            const std::optional<store::LocatedEntry>& after) {
    Dentry dentry = name.dentry;
    if (dentry.is_whiteout()) {
      SATCHEL_ASSIGN(const bool keeps, keeps_whiteout(directory, name, after));
      if (!keeps) {
        if (after) plan_.uncovered.emplace_back(directory.id, name.name);
        return std::optional<Dentry>();
      }
      SATCHEL_TRY(set_origin(directory, Name::checked(name.name), after, nullptr, dentry));
      return std::optional(dentry);
    }
    const auto child = rows_.index.find(dentry.child);
    const bool keeps = child != rows_.index.end() ? rows_.directories[child->second].is_kept
                                                  : !rows_.files.at(dentry.child).is_dropped;
    if (!keeps) return std::optional<Dentry>();
    const bool is_directory = child != rows_.index.end();
    const InodeRow& row =
        is_directory ? rows_.directories[child->second].row : rows_.files.at(dentry.child).row;
    dentry.ino = store::inode_number(row.file_id);
    const bool is_new = !is_directory && rows_.files.at(dentry.child).is_new;
    if (!is_new) SATCHEL_TRY(set_origin(directory, Name::checked(name.name), after, &row, dentry));
    if (after) {
      dentry.position = 0;
    } else if (dentry.position == 0) {
      SATCHEL_ASSIGN(dentry.position, input_.upper.next_number());
    }
    return std::optional(dentry);
  }

  /// What the change of a name was made to is the third leg of the next mediation: what the last
  /// one was given, if that took the name as it was sealed. `row`: what has the name; null:
  /// nothing.
  Result<void> set_origin(const SwitchDirectory& directory, const Name& name,
                          const std::optional<store::LocatedEntry>& after, const InodeRow* row,
                          Dentry& dentry) {
    const store::Kind kind = dentry.is_whiteout() && after ? after->entry.kind : dentry.kind;
    if (dentry.origin != nullptr && !was_mediated(input_, directory, name, kind)) return {};
    SATCHEL_ASSIGN(auto before, find_in(input_.snapshot, directory.in_snapshot, name));
    dentry.origin.reset();
    // Name by name, here or where it was moved to.
    if (is_merged(directory, name, dentry)) return {};
    if (dentry.is_whiteout() && is_hidden(directory, name)) return {};
    if (row != nullptr && before && after) SATCHEL_TRY(take_equal_fields(*row, *after, *before));
    if (same_encoding(before, after)) return {};
    // Of a directory that was replaced here nobody has seen what the other side did to it.
    const bool is_unseen = !before || (after && after->entry.is_directory());
    dentry.origin = std::make_shared<const store::Entry>(is_unseen ? store::Entry::whiteout(name)
                                                                   : before->entry);
    return {};
  }

  /// The name leads to a directory that is merged with what the next base has under it.
  [[nodiscard]] bool is_merged(const SwitchDirectory& directory, const Name& name,
                               const Dentry& dentry) const {
    const auto child = rows_.index.find(dentry.child);
    if (child == rows_.index.end()) return false;
    const auto& base = rows_.directories[child->second].next_base;
    return base && directory.next_base && *base == *directory.next_base / name;
  }

  /// What `row` has as the next base has it is no change of that: `origin` says so too.
  Result<void> take_equal_fields(const InodeRow& row, const store::LocatedEntry& next,
                                 store::LocatedEntry& origin) {
    const store::Attributes& theirs = next.entry.attributes;
    store::Attributes& attributes = origin.entry.attributes;
    if (row.mode == theirs.mode) attributes.mode = theirs.mode;
    if (row.uid == theirs.uid) attributes.uid = theirs.uid;
    if (row.gid == theirs.gid) attributes.gid = theirs.gid;
    if (row.live.mtime == theirs.mtime) attributes.mtime = theirs.mtime;
    if (row.file_id == next.file_id) {
      origin.entry.file_id = next.entry.file_id;
      origin.entry.linked = next.entry.linked;
    }
    if (attributes.xattrs == theirs.xattrs) return {};
    SATCHEL_ASSIGN(const auto xattrs, input_.next.xattrs(next.entry));
    if (row.xattrs == xattrs) attributes.xattrs = theirs.xattrs;
    return {};
  }

  [[nodiscard]] bool is_hidden(const SwitchDirectory& directory, const Name& name) const {
    return directory.next_base && rows_.hidden.contains((*directory.next_base / name).text());
  }

  Result<bool> keeps_whiteout(const SwitchDirectory& directory, const NamedDentry& name,
                              const std::optional<store::LocatedEntry>& after) {
    if (!after) return false;
    if (was_removed_at_seal(input_, directory, name, after->entry.kind)) return false;
    const Name text = Name::checked(name.name);
    if (is_hidden(directory, text)) return true;
    // Deleted here, changed there: the change is shown, or nobody would ever see it.
    SATCHEL_ASSIGN(const auto before, find_in(input_.snapshot, directory.in_snapshot, text));
    return same_encoding(before, after);
  }

  void put_name(const SwitchDirectory& directory, const NamedDentry& before,
                const std::optional<Dentry>& after) {
    const std::uint64_t new_position = after ? after->position : 0;
    const std::uint64_t old_position = directory.is_new ? 0 : before.dentry.position;
    if (old_position != 0 && old_position != new_position) {
      Upper::remove_position(plan_.batch, directory.id, old_position);
      plan_.committed[directory.id].emplace_back(old_position, before.name);
    }
    if (new_position != 0 && old_position != new_position) {
      Upper::put_position(plan_.batch, directory.id, new_position, before.name);
    }
    if (after) {
      Upper::put_dentry(plan_.batch, directory.id, before.name, *after);
    } else {
      Upper::remove_dentry(plan_.batch, directory.id, before.name);
    }
  }

  void put_directory(const SwitchDirectory& directory) {
    for (const NamedDentry& name : directory.names) {
      if (is_new(name.dentry.child)) {
        plan_.made.push_back({.id = name.dentry.child, .parent = directory.id, .name = name.name});
      }
      const auto renewed = plan_.renewed.find(name.dentry.child);
      if (renewed != plan_.renewed.end()) renewed->second.emplace_back(directory.id, name.name);
    }
    if (directory.is_kept) {
      Upper::put_row(plan_.batch, directory.id, directory.row);
      plan_.kept.emplace_back(directory.id, directory.row);
    } else {
      Upper::remove_row(plan_.batch, directory.id);
      plan_.dropped.push_back({.id = directory.id,
                               .kind = store::Kind::kDirectory,
                               .path = *directory.sealed,
                               .snapshot = entry_of(directory.in_snapshot),
                               .next = entry_of(directory.in_next)});
    }
  }

  [[nodiscard]] bool is_new(UpperId id) const {
    const auto file = rows_.files.find(id);
    if (file != rows_.files.end()) return file->second.is_new;
    const auto directory = rows_.index.find(id);
    return directory != rows_.index.end() && rows_.directories[directory->second].is_new;
  }

  void put_places() {
    // Removed first: another directory may take the place over.
    for (const SwitchDirectory& directory : rows_.directories) {
      if (directory.old_base_path && !directory.is_new) {
        Upper::remove_place(plan_.batch, *directory.old_base_path);
      }
    }
    for (const SwitchDirectory& directory : rows_.directories) {
      if (directory.is_kept && directory.row.base_path) {
        Upper::put_place(plan_.batch, *directory.row.base_path, directory.id);
      }
    }
  }

  void put_file(UpperId id, const SwitchFile& file) {
    if (!file.is_dropped) {
      Upper::put_row(plan_.batch, id, file.row);
      plan_.kept.emplace_back(id, file.row);
      return;
    }
    Upper::remove_row(plan_.batch, id);
    plan_.dropped.push_back({.id = id,
                             .kind = file.row.kind,
                             .path = *file.path,
                             .snapshot = entry_of(file.in_snapshot),
                             .next = entry_of(file.in_next)});
  }

  const SwitchInput& input_;
  SwitchRows rows_;
  std::set<store::FileId> file_ids_;  ///< of rows, and those that rows took
  SwitchPlan plan_;
};

}  // namespace

std::optional<RelativePath> SealedPlaces::find_base(const RelativePath& base_path) const {
  std::vector<Name> below;  // deepest first
  for (RelativePath path = base_path;; path = path.parent()) {
    const auto found = by_base_path.find(path.text());
    if (found != by_base_path.end()) {
      RelativePath shown = found->second;
      for (auto name = below.rbegin(); name != below.rend(); ++name) shown = shown / *name;
      return shown;
    }
    if (path.is_root()) return std::nullopt;
    below.push_back(path.name());
  }
}

Result<SwitchPlan> plan_switch(const SwitchInput& input) {
  SATCHEL_ASSIGN(SwitchRows rows, load_rows(input));
  return Planner(input, std::move(rows)).run();
}

}  // namespace satchel::fs
