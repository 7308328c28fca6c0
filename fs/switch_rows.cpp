#include "fs/switch_rows.h"

#include <iterator>
#include <set>

#include "fs/entry_row.h"
#include "store/directory.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kBatchNames = 1024;

class Loader {
 public:
  explicit Loader(const SwitchInput& input) : input_(input) {}

  Result<SwitchRows> run() {
    SATCHEL_ASSIGN(auto root, input_.upper.find_row(kRootUpper));
    SATCHEL_ASSERT(root.has_value());
    SwitchDirectory directory;
    directory.id = kRootUpper;
    directory.row = *std::move(root);
    add(std::move(directory));
    // The list grows while it is walked.
    for (std::size_t i = 0; i < rows_.directories.size(); ++i) {
      SATCHEL_TRY(load_names(i));
      SATCHEL_TRY(place(i));
      SATCHEL_TRY(load_children(i));
    }
    for (const SwitchDirectory& loaded : rows_.directories) {
      if (loaded.next_base) rows_.hidden.insert(loaded.next_base->text());
    }
    for (std::size_t i = 0, count = rows_.directories.size(); i < count; ++i) {
      SATCHEL_TRY(show_changed(i));
    }
    return std::move(rows_);
  }

 private:
  void add(SwitchDirectory directory) {
    directory.old_base_path = directory.row.base_path;
    rows_.index.emplace(directory.id, rows_.directories.size());
    rows_.directories.push_back(std::move(directory));
  }

  Result<void> load_names(std::size_t at) {
    SwitchDirectory& directory = rows_.directories[at];
    if (directory.is_new) return {};
    std::string from;
    for (bool more = true; more;) {
      SATCHEL_ASSIGN(auto names, input_.upper.list_dentries(directory.id, from, kBatchNames));
      more = names.size() == kBatchNames;
      if (more) from = names.back().name + '\0';
      std::move(names.begin(), names.end(), std::back_inserter(directory.names));
    }
    add_removed_names(directory);
    return {};
  }

  /// What was only the upper's at the seal and is gone: the next base has it, so it takes a
  /// whiteout.
  void add_removed_names(SwitchDirectory& directory) const {
    const auto sealed = input_.sealed.names.find(directory.id);
    if (sealed == input_.sealed.names.end()) return;
    std::set<std::string> present;
    for (const NamedDentry& name : directory.names) present.insert(name.name);
    for (const std::string& name : sealed->second) {
      if (present.contains(name)) continue;
      directory.names.push_back(
          {.name = name, .dentry = {.generation = input_.upper.generation()}});
    }
  }

  /// Where the directory is in the snapshot and in the next base.
  Result<void> place(std::size_t at) {
    SwitchDirectory& directory = rows_.directories[at];
    directory.sealed = sealed_path(directory);
    if (directory.sealed) {
      SATCHEL_ASSIGN(directory.in_snapshot, input_.snapshot.locate(*directory.sealed));
      if (directory.in_snapshot &&
          (!directory.in_snapshot->entry.is_directory() || hides_snapshot(directory))) {
        directory.in_snapshot.reset();
      }
    }
    if (directory.in_snapshot) {
      SATCHEL_ASSIGN(directory.in_next, input_.next.locate(*directory.sealed));
      if (directory.in_next && !directory.in_next->entry.is_directory()) directory.in_next.reset();
      if (directory.in_next) directory.next_base = directory.sealed;
      return {};
    }
    if (directory.old_base_path) return keep_old_base(at);
    return merge_with_other_side(directory);
  }

  /// It was made or moved to where the rules let nothing travel, so what the snapshot has there is
  /// still what the base had, and the directory goes on hiding it.
  [[nodiscard]] bool hides_snapshot(const SwitchDirectory& directory) const {
    return directory.old_base_path != directory.sealed &&
           directory.in_snapshot->file_id != directory.row.file_id &&
           !input_.change.travels(*directory.sealed, store::Kind::kDirectory);
  }

  [[nodiscard]] std::optional<RelativePath> sealed_path(const SwitchDirectory& directory) const {
    if (directory.id == kRootUpper) return RelativePath();
    const auto known = input_.sealed.paths.find(directory.id);
    if (known != input_.sealed.paths.end()) return known->second;
    if (directory.is_new || !directory.old_base_path) return std::nullopt;
    return input_.sealed.find_base(*directory.old_base_path);
  }

  /// Both sides have made a directory of this name since: it is one directory.
  Result<void> merge_with_other_side(SwitchDirectory& directory) {
    const SwitchDirectory& parent = rows_.directories[directory.parent];
    const Name name = Name::checked(directory.name);
    SATCHEL_ASSIGN(const auto before, find_in(input_.snapshot, parent.in_snapshot, name));
    if (before) return {};  // it hides that on purpose
    SATCHEL_ASSIGN(auto other, find_in(input_.next, parent.in_next, name));
    if (!other || !other->entry.is_directory()) return {};
    directory.in_next = std::move(other);
    directory.next_base = *parent.next_base / name;
    return {};
  }

  /// The directory was moved to where the snapshot does not speak, so the next base does not have
  /// what was in it: all of that gets rows.
  Result<void> keep_old_base(std::size_t at) {
    SATCHEL_ASSIGN(const auto old, input_.old_base.locate(*rows_.directories[at].old_base_path));
    if (!old || !old->entry.is_directory()) return {};
    std::set<std::string> changed;
    for (const NamedDentry& name : rows_.directories[at].names) changed.insert(name.name);
    SATCHEL_ASSIGN(auto cursor, store::DirectoryCursor::begin(input_.old_base.trees(),
                                                              old->entry.directory.page));
    for (; !cursor.at_end();) {
      const store::Entry& entry = cursor.entry();
      if (!changed.contains(entry.name.text())) {
        const store::LocatedEntry located{.entry = entry,
                                          .file_id = entry.effective_file_id(old->file_id)};
        SATCHEL_TRY(keep_entry(at, located));
      }
      SATCHEL_TRY(cursor.next());
    }
    return {};
  }

  Result<void> keep_entry(std::size_t at, const store::LocatedEntry& located) {
    const store::Entry& entry = located.entry;
    UpperId id = 0;
    if (entry.linked) id = linked_[located.file_id];
    if (id == 0) {
      SATCHEL_ASSIGN(id, input_.upper.next_number());
      SATCHEL_ASSIGN(InodeRow row, row_of_entry(input_.old_base, located));
      row.generation = input_.upper.generation();
      row.names = 0;
      if (entry.is_directory()) {
        row.base_path = *rows_.directories[at].old_base_path / entry.name;
        row.parent = rows_.directories[at].id;
        row.name = entry.name.text();
        row.names = 1;
      }
      made_.emplace(id, std::move(row));
      if (entry.linked) linked_[located.file_id] = id;
    }
    if (!entry.is_directory()) ++made_.at(id).names;
    rows_.directories[at].names.push_back({.name = entry.name.text(),
                                           .dentry = {.child = id,
                                                      .kind = entry.kind,
                                                      .ino = store::inode_number(located.file_id),
                                                      .generation = input_.upper.generation()}});
    return {};
  }

  Result<void> load_children(std::size_t at) {
    // By index: adding directories moves them.
    for (std::size_t i = 0; i < rows_.directories[at].names.size(); ++i) {
      const NamedDentry name = rows_.directories[at].names[i];
      if (name.dentry.is_whiteout() || rows_.files.contains(name.dentry.child)) continue;
      const auto made = made_.find(name.dentry.child);
      InodeRow row;
      if (made != made_.end()) {
        row = made->second;
      } else {
        SATCHEL_ASSIGN(auto stored, input_.upper.find_row(name.dentry.child));
        if (!stored) {
          return Error{.code = EUCLEAN,
                       .sat = Sat::kContradiction,
                       .message = "a name of the upper has no row"};
        }
        row = *std::move(stored);
      }
      if (row.kind != store::Kind::kDirectory) {
        SwitchFile file;
        file.row = std::move(row);
        file.is_new = made != made_.end();
        rows_.files.emplace(name.dentry.child, std::move(file));
        continue;
      }
      SwitchDirectory directory;
      directory.id = name.dentry.child;
      directory.row = std::move(row);
      directory.dentry = name.dentry;
      directory.parent = at;
      directory.name = name.name;
      directory.is_new = made != made_.end();
      add(std::move(directory));
    }
    // A linked file's rows are made name by name: the last word on its names is here.
    for (auto& [id, row] : made_) {
      const auto file = rows_.files.find(id);
      if (file != rows_.files.end()) file->second.row.names = row.names;
    }
    return {};
  }

  /// What the other side has changed in a directory that was removed here is shown, or nobody would
  /// ever see it, and the directory with it; the rest of that stays removed.
  Result<void> show_changed(std::size_t at) {
    for (std::size_t i = 0; i < rows_.directories[at].names.size(); ++i) {
      const SwitchDirectory& parent = rows_.directories[at];
      const NamedDentry& name = parent.names[i];
      if (!name.dentry.is_whiteout()) continue;
      const Name text = Name::checked(name.name);
      SATCHEL_ASSIGN(auto before, find_in(input_.snapshot, parent.in_snapshot, text));
      SATCHEL_ASSIGN(auto after, find_in(input_.next, parent.in_next, text));
      if (!are_directories(before, after) || same_encoding(before, after)) continue;
      if (was_removed_at_seal(input_, parent, name, store::Kind::kDirectory)) continue;
      const RelativePath path = *parent.next_base / text;
      if (rows_.hidden.contains(path.text())) continue;  // moved
      SATCHEL_ASSIGN(const bool is_known, is_one(path, *before, *after));
      const bool is_unseen =
          !is_known || (name.dentry.origin != nullptr &&
                        !was_mediated(input_, parent, text, store::Kind::kDirectory));
      if (is_unseen && !hides_below(path)) continue;  // the base's again, with all in it
      SATCHEL_TRY(show_rest(at, i,
                            {.path = path,
                             .before = *std::move(before),
                             .after = *std::move(after),
                             .is_unseen = is_unseen}));
    }
    return {};
  }

  static bool are_directories(const std::optional<store::LocatedEntry>& first,
                              const std::optional<store::LocatedEntry>& second) {
    return first && second && first->entry.is_directory() && second->entry.is_directory();
  }

  [[nodiscard]] bool hides_below(const RelativePath& path) const {
    const std::string below = path.text() + '/';
    const auto first = rows_.hidden.lower_bound(below);
    return first != rows_.hidden.end() && first->starts_with(below);
  }

  /// The directory `after` at `path` is what `before` was, or both sides have made it.
  Result<bool> is_one(const RelativePath& path, const store::LocatedEntry& before,
                      const store::LocatedEntry& after) const {
    if (before.file_id == after.file_id) return true;
    SATCHEL_ASSIGN(const auto old, input_.old_base.locate(path));
    return !old;
  }

  /// A directory that was removed here since the seal, and that the other side has changed.
  struct Removed {
    std::size_t above = 0;  ///< in the list of those
    RelativePath path;      ///< in the next base
    store::LocatedEntry before, after;
    bool is_unseen = false;  ///< it is another one, or more than was seen here: all is to be shown
    std::vector<std::string> names{};  ///< that stay removed
    bool is_shown = false;             ///< there are others
  };

  /// The name `index` of the directory `at`, a whiteout, leads to what is to be seen of `top`.
  Result<void> show_rest(std::size_t at, std::size_t index, Removed top) {
    std::vector<Removed> removed;
    removed.push_back(std::move(top));
    for (std::size_t i = 0; i < removed.size(); ++i) SATCHEL_TRY(compare_names(removed, i));
    for (std::size_t i = removed.size(); i-- > 0;) {  // what is inside first
      Removed& above = removed[removed[i].above];
      if (removed[i].is_shown) {
        above.is_shown = true;
        continue;
      }
      rows_.hidden.insert(removed[i].path.text());
      if (i > 0) above.names.push_back(removed[i].path.name().text());
    }
    std::vector<std::size_t> places(removed.size());  // in rows_.directories
    for (std::size_t i = 0; i < removed.size(); ++i) {
      if (!removed[i].is_shown) continue;
      const std::size_t above = i == 0 ? at : places[removed[i].above];
      places[i] = rows_.directories.size();
      SATCHEL_ASSIGN(const Dentry dentry, add_shown(above, removed[i]));
      std::vector<NamedDentry>& names = rows_.directories[above].names;
      if (i == 0) {
        names[index].dentry = dentry;  // without origin: all that was unseen is seen in it
      } else {
        names.push_back({.name = removed[i].path.name().text(), .dentry = dentry});
      }
    }
    return {};
  }

  Result<void> compare_names(std::vector<Removed>& removed, std::size_t at) {
    const Removed directory = removed[at];
    const store::LocatedEntry& after = directory.after;
    SATCHEL_ASSIGN(auto cursor,
                   store::DirectoryCursor::begin(input_.next.trees(), after.entry.directory.page));
    for (; !cursor.at_end();) {
      const store::Entry& entry = cursor.entry();
      SATCHEL_ASSIGN(auto known, find_in(input_.snapshot, directory.before, entry.name));
      RelativePath path = directory.path / entry.name;
      store::LocatedEntry theirs{.entry = entry, .file_id = entry.effective_file_id(after.file_id)};
      const bool is_known = known && !directory.is_unseen && known->entry == entry;
      bool is_unseen = directory.is_unseen;
      if (!is_unseen && are_directories(known, theirs)) {
        SATCHEL_ASSIGN(const bool one, is_one(path, *known, theirs));
        is_unseen = !one;
      }
      if (is_known || rows_.hidden.contains(path.text())) {
        removed[at].names.push_back(entry.name.text());
      } else if (are_directories(known, theirs) && (!is_unseen || hides_below(path))) {
        removed.push_back({.above = at,
                           .path = std::move(path),
                           .before = *std::move(known),
                           .after = std::move(theirs),
                           .is_unseen = is_unseen});
      } else {
        removed[at].is_shown = true;
      }
      SATCHEL_TRY(cursor.next());
    }
    return {};
  }

  /// What leads to it.
  Result<Dentry> add_shown(std::size_t above, Removed& removed) {
    const SwitchDirectory& parent = rows_.directories[above];
    SwitchDirectory shown;
    SATCHEL_ASSIGN(shown.id, input_.upper.next_number());
    SATCHEL_ASSIGN(shown.row, row_of_entry(input_.next, removed.after));
    const Generation generation = input_.upper.generation();
    const Dentry dentry{.child = shown.id,
                        .kind = store::Kind::kDirectory,
                        .ino = store::inode_number(removed.after.file_id),
                        .generation = generation};
    for (std::string& name : removed.names) {
      shown.names.push_back({.name = std::move(name), .dentry = {.generation = generation}});
    }
    shown.dentry = dentry;
    shown.parent = above;
    shown.name = removed.path.name().text();
    shown.row.parent = parent.id;
    shown.row.name = shown.name;
    shown.row.generation = generation;
    shown.next_base = removed.path;
    shown.sealed = removed.path;
    shown.in_snapshot = removed.before;
    shown.in_next = removed.after;
    shown.is_new = true;
    add(std::move(shown));
    return dentry;
  }

  const SwitchInput& input_;
  SwitchRows rows_;
  std::map<UpperId, InodeRow> made_;
  std::map<store::FileId, UpperId> linked_;
};

}  // namespace

Result<std::optional<store::LocatedEntry>> find_in(
    const BaseTree& tree, const std::optional<store::LocatedEntry>& directory, const Name& name) {
  if (!directory) return std::optional<store::LocatedEntry>();
  return tree.find(as_base_directory(*directory), name);
}

bool was_removed_at_seal(const SwitchInput& input, const SwitchDirectory& directory,
                         const NamedDentry& name, store::Kind kind) {
  return directory.sealed && name.dentry.generation <= input.change.generation &&
         input.change.travels(*directory.sealed / Name::checked(name.name), kind);
}

bool was_mediated(const SwitchInput& input, const SwitchDirectory& directory, const Name& name,
                  store::Kind kind) {
  if (!directory.sealed) return false;
  const RelativePath path = *directory.sealed / name;
  const std::set<std::string>& busy = input.change.busy;
  const auto in_it = busy.lower_bound(path.text() + '/');
  const bool was_busy =
      busy.contains(path.text()) || (in_it != busy.end() && in_it->starts_with(path.text() + '/'));
  return input.change.travels(path, kind) && !was_busy;
}

bool same_encoding(const std::optional<store::LocatedEntry>& first,
                   const std::optional<store::LocatedEntry>& second) {
  return first && second ? first->entry == second->entry : !first && !second;
}

Result<SwitchRows> load_rows(const SwitchInput& input) {
  return Loader(input).run();
}

}  // namespace satchel::fs
