// join: the parts of a layer as one again. docs/format.md, section 4.
#include <algorithm>
#include <functional>

#include "store/format_error.h"
#include "store/linked_names.h"
#include "store/page_merge.h"
#include "store/split.h"
#include "store/tree_walk.h"

namespace satchel::store {
namespace {

/// A directory that several parts hold.
struct Frame {
  PageMerge names;
  PageBuilder<Entry> joined;
  Entry entry;
  /// Inside of an opaque directory there is nothing below, and so no marks: ways become plain.
  bool is_inside_opaque = false;
  std::string path;
};

class PartsJoin {
 public:
  explicit PartsJoin(TreeStore& trees) : trees_(trees) {}
  Result<Root> make(std::span<const Root> parts);

 private:
  Result<void> push(const std::vector<Entry>& held, std::string path);
  Result<void> copy_run(Frame& frame);
  Result<void> join_name(Frame& frame);
  Result<Entry> pop();
  Result<PageId> join_links(std::span<const Root> parts, const Root& joined);

  TreeStore& trees_;
  std::vector<Frame> frames_;
  Subtrees uncertain_;  // where the parts' link tables may say what the whole does not
};

bool is_way(const Entry& entry) {
  return entry.mark == DirectoryMark::kInherit;
}

std::vector<std::byte> encoded(const Entry& entry) {
  ByteWriter out;
  encode_entry(entry, out);
  return out.take();
}

/// The directory that counts of those that several parts hold. Ways differ only where parts are of
/// different ages; any rule will do there that does not ask for an order of the parts.
const Entry& choose(const std::vector<Entry>& held) {
  return *std::ranges::min_element(held, [](const Entry& first, const Entry& second) {
    if (is_way(first) != is_way(second)) return is_way(second);
    return is_way(first) && encoded(first) < encoded(second);
  });
}

Result<Root> PartsJoin::make(std::span<const Root> parts) {
  std::vector<Entry> roots;
  for (const Root& part : parts) roots.push_back(part.as_entry());
  if (std::ranges::count_if(roots, std::not_fn(is_way)) > 1) {
    return contradiction("two parts hold the root");
  }
  SATCHEL_TRY(push(roots, ""));
  for (;;) {
    Frame& frame = frames_.back();
    SATCHEL_ASSIGN(const PageMerge::Step step, frame.names.step());
    if (step == PageMerge::Step::kRun) SATCHEL_TRY(copy_run(frame));
    if (step == PageMerge::Step::kNames) SATCHEL_TRY(join_name(frame));
    if (step != PageMerge::Step::kEnd) continue;
    SATCHEL_ASSIGN(Entry directory, pop());
    if (!frames_.empty()) {
      SATCHEL_TRY(frames_.back().joined.append(std::move(directory)));
      continue;
    }
    Root joined = Root::from_entry(directory, PageId{});
    SATCHEL_ASSIGN(joined.links, join_links(parts, joined));
    return joined;
  }
}

/// Enters what the parts hold as directories: one that counts, and ways.
Result<void> PartsJoin::push(const std::vector<Entry>& held, std::string path) {
  SATCHEL_TRY(check_depth(frames_.size()));
  Entry entry = choose(held);
  std::vector<PageMerge::Cursor> lists;
  for (const Entry& one : held) {
    lists.emplace_back(trees_, one.directory);
    if (one.file_id != entry.file_id) uncertain_.add(path);
  }
  const bool is_within_opaque = !frames_.empty() && frames_.back().is_inside_opaque;
  const bool is_opaque = entry.mark == DirectoryMark::kOpaque;
  if (is_within_opaque) entry.mark = DirectoryMark::kNone;
  frames_.push_back({PageMerge(std::move(lists)), PageBuilder<Entry>(trees_), std::move(entry),
                     is_within_opaque || is_opaque, std::move(path)});
  return {};
}

/// Names of one part alone.
Result<void> PartsJoin::copy_run(Frame& frame) {
  PageMerge::Cursor& part = frame.names.list(frame.names.runner());
  const KeyBound bound = frame.names.bound();
  if (!frame.is_inside_opaque) return copy_items(part, frame.joined, bound);
  SATCHEL_TRY(copy_items(part, frame.joined, bound, MarkedItems::kStopBefore));
  if (!part.at_item() || !bound.covers(part.item().name.text())) return {};
  const Entry entry = part.item();
  part.next();
  if (entry.is_whiteout()) return {};
  SATCHEL_ASSIGN(std::string path, path_in(frame.path, entry.name));
  return push({entry}, std::move(path));
}

Result<void> PartsJoin::join_name(Frame& frame) {
  std::vector<Entry> directories;  // ways, and what counts if it is a directory
  std::vector<Entry> others;
  std::ptrdiff_t owners = 0;
  for (std::size_t i = 0; i < frame.names.size(); ++i) {
    const Entry* entry = frame.names.entry(i);
    if (entry == nullptr) continue;
    (entry->is_directory() ? directories : others).push_back(*entry);
    if (!is_way(*entry)) ++owners;
  }
  frame.names.pass_names();
  if (owners > 1) return contradiction("two parts hold one name");
  const Name& name = (others.empty() ? directories : others).front().name;
  SATCHEL_ASSIGN(std::string path, path_in(frame.path, name));
  if (others.empty()) return push(directories, std::move(path));

  // Parts of different ages: what the ways led to was deleted or replaced meanwhile.
  uncertain_.add(path);
  if (!others.front().is_whiteout()) return frame.joined.append(others.front());
  const bool is_within_opaque = frame.is_inside_opaque;
  SATCHEL_TRY(push(directories, std::move(path)));
  if (!is_within_opaque) frames_.back().entry.mark = DirectoryMark::kOpaque;
  frames_.back().is_inside_opaque = true;
  return {};
}

Result<Entry> PartsJoin::pop() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  SATCHEL_ASSIGN(const PageList list, frame.joined.finish());
  frame.entry.directory = {list.page, list.summary.subdirectories, list.summary.marked};
  return std::move(frame.entry);
}

Result<PageId> PartsJoin::join_links(std::span<const Root> parts, const Root& joined) {
  PageId table;
  for (const Root& part : parts) {
    if (part.links.is_none()) continue;
    if (table.is_none()) {
      table = part.links;
      continue;
    }
    SATCHEL_ASSIGN(const auto links, list_links(trees_, part.links));
    SATCHEL_ASSIGN(table, edit_links(trees_, table, {}, {links.begin(), links.end()}));
  }
  std::set<LinkItem> doubtful;
  SATCHEL_TRY(collect_links(trees_, table, uncertain_, doubtful));
  std::set<std::string> paths;
  for (const LinkItem& link : doubtful) paths.insert(link.path);
  std::set<LinkItem> found;
  SATCHEL_TRY(locate_links(trees_, joined, paths, found));
  return edit_links(trees_, table, doubtful, found);
}

}  // namespace

Result<Root> join(TreeStore& trees, std::span<const Root> parts) {
  if (parts.empty()) return empty_layer();
  return PartsJoin(trees).make(parts);
}

}  // namespace satchel::store
