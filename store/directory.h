// Reading and editing one directory of a tree, page by page.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "store/page_cursor.h"

namespace satchel::store {

/// The entry called `name`, reading one page per level. Errors: those of TreeStore.
Result<std::optional<Entry>> find_entry(TreeStore& trees, const PageId& directory,
                                        const Name& name);

/// Follows `path` from `root`, without following symlinks. The root itself is Root::as_entry().
/// Absent or below a non-directory: nullopt.
Result<std::optional<Entry>> find_path(TreeStore& trees, const Root& root,
                                       const RelativePath& path);
/// As find_path, with the file id that the entry has there.
struct LocatedEntry {
  Entry entry;
  FileId file_id;
};
Result<std::optional<LocatedEntry>> locate_path(TreeStore& trees, const Root& root,
                                                const RelativePath& path);

/// Walks a directory in name order, holding one page per level.
class DirectoryCursor {
 public:
  /// At the first entry.
  static Result<DirectoryCursor> begin(TreeStore& trees, const PageId& directory);
  /// At the first entry whose name is not below `name`.
  static Result<DirectoryCursor> at_name(TreeStore& trees, const PageId& directory,
                                         std::string_view name);
  /// At the entry of this rank (0 the first); past the end if there are fewer.
  static Result<DirectoryCursor> at_rank(TreeStore& trees, const PageId& directory,
                                         std::uint64_t rank);

  [[nodiscard]] bool at_end() const;
  /// Asserts that it is not at the end. Valid until the next call of a non-const method.
  [[nodiscard]] const Entry& entry() const;
  /// Rank of entry(), or the number of entries at the end.
  [[nodiscard]] std::uint64_t rank() const;
  Result<void> next();

 private:
  explicit DirectoryCursor(PageCursor<Entry> pages) : pages_(std::move(pages)) {}
  PageCursor<Entry> pages_;  // at an item or at the end
};

/// All entries. For directories known to be small, and for tests.
Result<std::vector<Entry>> list_directory(TreeStore& trees, const PageId& directory);

/// Makes a directory from entries in ascending order of name. Holds one open page per level.
class DirectoryBuilder {
 public:
  explicit DirectoryBuilder(TreeStore& trees);
  ~DirectoryBuilder();
  DirectoryBuilder(DirectoryBuilder&&) noexcept;
  Result<void> append(const Entry& entry);
  Result<DirectoryRef> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One name's new entry, or its removal.
struct DirectoryEdit {
  Name name;
  std::optional<Entry> entry;  ///< its name must be `name`
};

/// `directory` with `edits` (ascending, no name twice) applied. Removing an absent name is allowed.
/// Pages without an edit are taken over unread wherever the cut falls the same; the result is the
/// same as building it anew. Without effective change the old ref is returned.
Result<DirectoryRef> edit_directory(TreeStore& trees, const PageId& directory,
                                    std::span<const DirectoryEdit> edits);

/// What one name is in each of two directories; both absent never occurs, equal entries are not
/// reported.
struct DirectoryDifference {
  const Entry* first = nullptr;   ///< null: absent
  const Entry* second = nullptr;  ///< null: absent
  [[nodiscard]] const Name& name() const { return (first != nullptr ? first : second)->name; }
};
/// Calls `visit` in name order for each name whose entries differ; skips equal pages by id at every
/// level. `visit` may return an error, which ends the walk and is returned.
Result<void> compare_directories(
    TreeStore& trees, const PageId& first, const PageId& second,
    const std::function<Result<void>(const DirectoryDifference&)>& visit);

}  // namespace satchel::store
