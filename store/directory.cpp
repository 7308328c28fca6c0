#include "store/directory.h"

#include "store/page_comparer.h"
#include "store/page_editor.h"

namespace satchel::store {
namespace {

DirectoryRef ref_of(const PageList& list) {
  return {list.page, list.summary.subdirectories, list.summary.marked};
}

}  // namespace

Result<std::optional<Entry>> find_entry(TreeStore& trees, const PageId& directory,
                                        const Name& name) {
  return find_item<Entry>(trees, directory, name.text());
}

Result<std::optional<Entry>> find_path(TreeStore& trees, const Root& root,
                                       const RelativePath& path) {
  SATCHEL_ASSIGN(auto located, locate_path(trees, root, path));
  if (!located) return std::nullopt;
  return std::move(located->entry);
}

Result<std::optional<LocatedEntry>> locate_path(TreeStore& trees, const Root& root,
                                                const RelativePath& path) {
  LocatedEntry located{root.as_entry(), root_file_id()};
  for (const Name& name : path.names()) {
    if (!located.entry.is_directory()) return std::nullopt;
    SATCHEL_ASSIGN(auto entry, find_entry(trees, located.entry.directory.page, name));
    if (!entry) return std::nullopt;
    located.file_id = entry->effective_file_id(located.file_id);
    located.entry = *std::move(entry);
  }
  return located;
}

Result<DirectoryCursor> DirectoryCursor::begin(TreeStore& trees, const PageId& directory) {
  return at_rank(trees, directory, 0);
}

Result<DirectoryCursor> DirectoryCursor::at_name(TreeStore& trees, const PageId& directory,
                                                 std::string_view name) {
  PageCursor<Entry> pages(trees, directory);
  SATCHEL_TRY(pages.seek(name));
  return DirectoryCursor(std::move(pages));
}

Result<DirectoryCursor> DirectoryCursor::at_rank(TreeStore& trees, const PageId& directory,
                                                 std::uint64_t rank) {
  PageCursor<Entry> pages(trees, directory);
  while (!pages.at_end() && (pages.is_unread() || pages.rank() < rank)) {
    const IndexItem* page = pages.is_unread() ? pages.unread_page() : nullptr;
    const bool is_before = page != nullptr && page->summary.entries <= rank - pages.rank();
    if (pages.at_item() || is_before) {
      pages.next();
    } else {
      SATCHEL_TRY(pages.read());
    }
  }
  return DirectoryCursor(std::move(pages));
}

bool DirectoryCursor::at_end() const {
  return pages_.at_end();
}
const Entry& DirectoryCursor::entry() const {
  return pages_.item();
}
std::uint64_t DirectoryCursor::rank() const {
  return pages_.rank();
}

Result<void> DirectoryCursor::next() {
  pages_.next();
  return pages_.read_to_item();
}

Result<std::vector<Entry>> list_directory(TreeStore& trees, const PageId& directory) {
  std::vector<Entry> entries;
  SATCHEL_ASSIGN(auto cursor, DirectoryCursor::begin(trees, directory));
  while (!cursor.at_end()) {
    entries.push_back(cursor.entry());
    SATCHEL_TRY(cursor.next());
  }
  return entries;
}

struct DirectoryBuilder::State {
  explicit State(TreeStore& trees) : pages(trees) {}
  PageBuilder<Entry> pages;
};

DirectoryBuilder::DirectoryBuilder(TreeStore& trees) : state_(std::make_unique<State>(trees)) {}
DirectoryBuilder::~DirectoryBuilder() = default;
DirectoryBuilder::DirectoryBuilder(DirectoryBuilder&&) noexcept = default;

Result<void> DirectoryBuilder::append(const Entry& entry) {
  return state_->pages.append(entry);
}

Result<DirectoryRef> DirectoryBuilder::finish() {
  SATCHEL_ASSIGN(const PageList list, state_->pages.finish());
  return ref_of(list);
}

Result<DirectoryRef> edit_directory(TreeStore& trees, const PageId& directory,
                                    std::span<const DirectoryEdit> edits) {
  PageEditor<Entry> editor(trees, directory);
  for (const DirectoryEdit& edit : edits) {
    SATCHEL_ASSERT(!edit.entry || edit.entry->name == edit.name);
    SATCHEL_TRY(editor.set(edit.name.text(), edit.entry));
  }
  SATCHEL_ASSIGN(const PageList list, editor.finish());
  return ref_of(list);
}

Result<void> compare_directories(
    TreeStore& trees, const PageId& first, const PageId& second,
    const std::function<Result<void>(const DirectoryDifference&)>& visit) {
  PageComparer<Entry> comparer(trees, first, second);
  SATCHEL_ASSIGN(bool differs, comparer.next());
  while (differs) {
    SATCHEL_TRY(visit({comparer.first(), comparer.second()}));
    SATCHEL_ASSIGN(differs, comparer.next());
  }
  return {};
}

}  // namespace satchel::store
