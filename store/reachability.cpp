#include "store/reachability.h"

#include <algorithm>

#include "store/format_error.h"
#include "store/page_items.h"

namespace satchel::store {
namespace {

Error missing(const EntryKey& key) {
  return {.code = ENOENT,
          .sat = Sat::kMissingContent,
          .message = "the " + to_text(key) + " is in no pack that can be read"};
}

/// "users/ada@3:/home" and a name below it.
std::string below(const std::string& where, const Name& name) {
  return where + (where.ends_with('/') ? "" : "/") + name.text();
}

std::string last_key_of(const DirectoryPage& page) {
  if (!page.children.empty()) return page.children.back().last_key;
  return page.items.empty() ? std::string() : std::string(key_of(page.items.back()));
}
std::string last_key_of(const LinkPage& page) {
  if (!page.children.empty()) return page.children.back().last_key;
  return page.items.empty() ? std::string() : key_of(page.items.back());
}

}  // namespace

bool EntryMarks::mark(const EntryLocation& location) {
  std::vector<bool>& marks = marks_[location.pack];
  if (marks.size() <= location.ordinal) marks.resize(location.ordinal + std::size_t{1});
  if (marks[location.ordinal]) return false;
  marks[location.ordinal] = true;
  return true;
}

bool EntryMarks::is_marked(const PackId& pack, std::size_t ordinal) const {
  const auto found = marks_.find(pack);
  return found != marks_.end() && ordinal < found->second.size() && found->second[ordinal];
}

Result<void> ReachabilityWalk::walk(const RootId& root, const std::string& where) {
  tasks_.push_back({EntryKey::of(EntryType::kRoot, root), where + ":/", {}});
  while (!tasks_.empty()) {
    const Task task = std::move(tasks_.back());
    tasks_.pop_back();
    const auto visited = visit(task);
    if (!visited) SATCHEL_TRY(report(task.where, visited.error()));
  }
  return {};
}

Result<void> ReachabilityWalk::report(const std::string& where, const Error& error) {
  if (error.sat == Sat::kOffline) return error;
  report_(where, error);
  return {};
}

Result<void> ReachabilityWalk::visit(const Task& task) {
  SATCHEL_ASSIGN(const auto location, repository_.locate(task.key));
  if (!location) {
    return missing_.insert(task.key).second ? Result<void>(missing(task.key)) : Result<void>{};
  }
  if (!marks_.mark(*location)) return {};
  SATCHEL_ASSIGN(const auto raw, repository_.get(task.key));
  return visit_parts(task, raw);
}

Result<void> ReachabilityWalk::visit_parts(const Task& task, Bytes raw) {
  switch (task.key.type) {
    case EntryType::kRoot:
      return visit_root(task, raw);
    case EntryType::kDirectoryPage:
      return visit_directory_page(task, raw);
    case EntryType::kLinkPage:
      return visit_link_page(task, raw);
    case EntryType::kXattrSet: {
      SATCHEL_TRY(decode_xattrs(raw));
      return {};
    }
    case EntryType::kRecipe:
      return visit_recipe(task, raw);
    case EntryType::kRecipePage:
      return visit_recipe_page(task, raw);
    case EntryType::kChunk:
      break;  // never a task: expect_chunk() is all there is to do
  }
  return {};
}

Result<void> ReachabilityWalk::visit_root(const Task& task, Bytes raw) {
  SATCHEL_ASSIGN(const Root root, decode_root(raw));
  expect_xattrs(root.attributes.xattrs, task.where);
  expect_directory(root.directory, task.where);
  if (!root.links.is_none() && root.links != empty_link_page()) {
    tasks_.push_back({EntryKey::of(EntryType::kLinkPage, root.links), task.where, {}});
  }
  return {};
}

Result<void> ReachabilityWalk::visit_directory_page(const Task& task, Bytes raw) {
  SATCHEL_ASSIGN(const DirectoryPage page, decode_directory_page(raw));
  const Expected& expected = task.expected;
  const PageSummary found = summary_of(page);
  const bool fits = expected.is_top ? found.subdirectories == expected.summary.subdirectories &&
                                          found.marked == expected.summary.marked
                                    : found == expected.summary && page.level == expected.level &&
                                          last_key_of(page) == expected.last_key;
  if (!fits) return contradiction("the " + to_text(task.key) + " is not what refers to it says");
  expect_children(EntryType::kDirectoryPage, page.children, page.level, task.where);
  for (const Entry& entry : page.items) {
    const std::string where = below(task.where, entry.name);
    expect_xattrs(entry.attributes.xattrs, where);
    if (entry.is_directory()) expect_directory(entry.directory, where);
    if (entry.kind == Kind::kFile) SATCHEL_TRY(expect_content(entry.content, where));
  }
  return {};
}

Result<void> ReachabilityWalk::visit_link_page(const Task& task, Bytes raw) {
  SATCHEL_ASSIGN(const LinkPage page, decode_link_page(raw));
  const Expected& expected = task.expected;
  const bool fits =
      expected.is_top || (summary_of(page) == expected.summary && page.level == expected.level &&
                          last_key_of(page) == expected.last_key);
  if (!fits) return contradiction("the " + to_text(task.key) + " is not what refers to it says");
  expect_children(EntryType::kLinkPage, page.children, page.level, task.where);
  return {};
}

Result<void> ReachabilityWalk::visit_recipe(const Task& task, Bytes raw) {
  SATCHEL_ASSIGN(const Recipe recipe, decode_recipe(raw));
  if (recipe.size != task.expected.bytes) {
    return contradiction("the " + to_text(task.key) + " is of another size than its content");
  }
  const LeafHash hash = hash_recipe_body(recipe.body, recipe.size);
  if (content_id_of_tree(recipe.size, hash).digest != ContentDigest{task.key.id}) {
    return corrupted("the " + to_text(task.key) + " does not make its content");
  }
  return expect_body(recipe.body, recipe.size, task.where);
}

Result<void> ReachabilityWalk::visit_recipe_page(const Task& task, Bytes raw) {
  const std::uint64_t span_bytes = task.expected.bytes;
  SATCHEL_ASSIGN(const RecipeBody body, decode_recipe_page(raw, span_bytes));
  if (body.level != task.expected.level ||
      hash_recipe_body(body, span_bytes) != task.expected.subtree) {
    return contradiction("the " + to_text(task.key) + " is not what refers to it says");
  }
  return expect_body(body, span_bytes, task.where);
}

void ReachabilityWalk::expect_directory(const DirectoryRef& directory, const std::string& where) {
  if (directory.page == empty_directory_page()) return;
  Expected expected;
  expected.summary.subdirectories = directory.subdirectories;
  expected.summary.marked = directory.marked_below;
  tasks_.push_back({EntryKey::of(EntryType::kDirectoryPage, directory.page), where, expected});
}

void ReachabilityWalk::expect_children(EntryType type, const std::vector<IndexItem>& children,
                                       std::uint8_t level, const std::string& where) {
  for (const IndexItem& child : children) {
    Expected expected;
    expected.is_top = false;
    expected.level = static_cast<std::uint8_t>(level - 1);
    expected.last_key = child.last_key;
    expected.summary = child.summary;
    tasks_.push_back({EntryKey::of(type, child.page), where, std::move(expected)});
  }
}

void ReachabilityWalk::expect_xattrs(const XattrsRef& xattrs, const std::string& where) {
  if (xattrs.object.is_none()) return;
  tasks_.push_back({EntryKey::of(EntryType::kXattrSet, xattrs.object), where, {}});
}

Result<void> ReachabilityWalk::expect_content(const ContentId& content, const std::string& where) {
  if (content.is_empty()) return {};
  if (content.size <= kLeafBytes) {
    return expect_chunk(ChunkId{content.digest.bytes}, content.size, where);
  }
  Expected expected;
  expected.bytes = content.size;
  tasks_.push_back({EntryKey::of(EntryType::kRecipe, content.digest), where, expected});
  return {};
}

Result<void> ReachabilityWalk::expect_body(const RecipeBody& body, std::uint64_t span_bytes,
                                           const std::string& where) {
  for (const Extent& extent : body.extents) {
    if (extent.is_hole) continue;
    SATCHEL_TRY(expect_chunk(extent.chunk, extent.chunk_offset + extent.length, where));
  }
  if (body.level == 0) return {};
  const auto child_level = static_cast<std::uint8_t>(body.level - 1);
  const std::uint64_t child_bytes = recipe_span_bytes(child_level);
  std::uint64_t rest = span_bytes;
  for (const RecipeBody::Child& child : body.children) {
    const std::uint64_t span = std::min(rest, child_bytes);
    rest -= span;
    if (child.is_hole) continue;
    Expected expected;
    expected.level = child_level;
    expected.bytes = span;
    expected.subtree = child.subtree;
    tasks_.push_back({EntryKey::of(EntryType::kRecipePage, child.page), where, expected});
  }
  return {};
}

Result<void> ReachabilityWalk::expect_chunk(const ChunkId& id, std::uint64_t bytes_min,
                                            const std::string& where) {
  const EntryKey key = EntryKey::of(EntryType::kChunk, id);
  SATCHEL_ASSIGN(const auto location, repository_.locate(key));
  if (!location) {
    return missing_.insert(key).second ? report(where, missing(key)) : Result<void>{};
  }
  marks_.mark(*location);
  if (location->item.raw_bytes < bytes_min) {
    return report(where, contradiction("the " + to_text(key) + " is shorter than its use"));
  }
  if (damaged_.contains(key))
    return report(where, corrupted("the " + to_text(key) + " is damaged"));
  return {};
}

}  // namespace satchel::store
