#include "store/split.h"

#include <algorithm>

#include "store/directory.h"
#include "store/format_error.h"
#include "store/linked_names.h"
#include "store/page_comparer.h"
#include "store/page_editor.h"
#include "store/tree_walk.h"

namespace satchel::store {
namespace {

using PartPages = std::array<PageId, kAreas>;
using PartLists = std::array<PageList, kAreas>;

/// A directory whose parts change.
struct Frame {
  PageComparer<Entry> names;  // of the old and the new tree
  PageId image;               // the image's directory, if the layer is a change of it; else none
  Entry entry;                // what the new layer has, save for its contents
  FileId file_id;
  RelativePath path;
  PartPages old_parts;
  std::vector<PageEditor<Entry>> parts;  // by Area
};

/// Brings the parts of a layer from an old tree to a new one, name by name where these differ. The
/// layer itself is never made: what it has at a name follows from the image's and the tree's entry.
/// A split is the case in which there is no image and nothing old, and the new tree is the layer.
class PartsUpdate {
 public:
  PartsUpdate(TreeStore& trees, const Parts& old_parts, const AreaOf& area_of)
      : trees_(trees), old_parts_(old_parts), area_of_(area_of) {}

  /// `image` and `old_tree` may be null.
  Result<Parts> make(const Entry* image, const Entry* old_tree, const Entry& new_tree);

 private:
  void push(const Entry* image, const Entry* old_entry, const Entry& new_entry, FileId file_id,
            RelativePath path, const PartPages& old_parts);
  Result<void> update(Frame& frame, const Entry* old_entry, const Entry* new_entry);
  Result<void> enter(Frame& frame, const Entry* image, const Entry* old_entry,
                     const Entry& new_entry, const PartPages& old_parts);
  Result<void> clear(Frame& frame, const Name& name, const Entry* old_entry);
  Result<void> put(Frame& frame, Entry entry);
  Result<void> leave();
  Result<PartLists> finish_lists(Frame& frame);
  Result<Parts> finish(Frame& frame);

  TreeStore& trees_;
  const Parts& old_parts_;
  const AreaOf& area_of_;
  std::vector<Frame> frames_;
  std::set<LinkItem> gone_links_;
  Subtrees gone_directories_;
  std::array<std::set<LinkItem>, kAreas> new_links_;
};

/// `entry` is a change of `image`, not something of its own in the image's place.
bool is_change_of(const Entry* image, const Entry& entry) {
  return image != nullptr && image->is_directory() && entry.is_directory() &&
         image->file_id == entry.file_id;
}

/// What diff() makes of a directory, save for the contents.
Entry layer_entry(const Entry* image, const Entry& entry) {
  Entry made = entry;
  if (is_change_of(image, entry)) {
    const bool inherits = image->attributes == entry.attributes;
    made.mark = inherits ? DirectoryMark::kInherit : DirectoryMark::kNone;
  } else if (image != nullptr && image->is_directory()) {
    made.mark = DirectoryMark::kOpaque;
  }
  return made;
}

Entry with_contents(const Entry& directory, const PageList& list) {
  Entry entry = directory;
  entry.directory = {list.page, list.summary.subdirectories, list.summary.marked};
  return entry;
}

Result<Parts> PartsUpdate::make(const Entry* image, const Entry* old_tree, const Entry& new_tree) {
  PartPages old_pages;
  for (std::size_t area = 0; area < kAreas; ++area) {
    old_pages[area] = old_parts_[area].directory.page;
  }
  push(image, old_tree, new_tree, root_file_id(), {}, old_pages);
  for (;;) {
    Frame& frame = frames_.back();
    SATCHEL_ASSIGN(const bool differs, frame.names.next());
    if (differs) {
      SATCHEL_TRY(update(frame, frame.names.first(), frame.names.second()));
    } else if (frames_.size() > 1) {
      SATCHEL_TRY(leave());
    } else {
      return finish(frame);
    }
  }
}

void PartsUpdate::push(const Entry* image, const Entry* old_entry, const Entry& new_entry,
                       FileId file_id, RelativePath path, const PartPages& old_parts) {
  Frame frame{
      PageComparer<Entry>(trees_, old_entry != nullptr ? old_entry->directory.page : PageId{},
                          new_entry.directory.page),
      is_change_of(image, new_entry) ? image->directory.page : PageId{},
      layer_entry(image, new_entry),
      file_id,
      std::move(path),
      old_parts,
      {}};
  for (const PageId& page : old_parts) frame.parts.emplace_back(trees_, page);
  frames_.push_back(std::move(frame));
}

/// One name at which old and new tree differ.
Result<void> PartsUpdate::update(Frame& frame, const Entry* old_entry, const Entry* new_entry) {
  SATCHEL_ASSERT(old_entry != nullptr || new_entry != nullptr);
  const Name& name = (new_entry != nullptr ? new_entry : old_entry)->name;
  std::optional<Entry> found;
  if (!frame.image.is_none()) {
    SATCHEL_ASSIGN(found, find_entry(trees_, frame.image, name));
  }
  const Entry* image = found ? &*found : nullptr;

  const bool is_same_directory = old_entry != nullptr && new_entry != nullptr &&
                                 is_change_of(old_entry, *new_entry) &&
                                 is_change_of(image, *old_entry) == is_change_of(image, *new_entry);
  if (is_same_directory) {
    PartPages old_parts;
    for (std::size_t area = 0; area < kAreas; ++area) {
      SATCHEL_ASSIGN(const auto part, find_item<Entry>(trees_, frame.old_parts[area], name.text()));
      if (part && part->is_directory()) old_parts[area] = part->directory.page;
    }
    return enter(frame, image, old_entry, *new_entry, old_parts);
  }
  SATCHEL_TRY(clear(frame, name, old_entry));
  if (new_entry == nullptr) {
    return image != nullptr ? put(frame, Entry::whiteout(name)) : Result<void>();
  }
  if (image != nullptr && *image == *new_entry) return {};
  if (!new_entry->is_directory()) return put(frame, *new_entry);
  // Beside the image's own directory nothing is old: there the layer had nothing, or was opaque.
  return enter(frame, image, is_change_of(image, *new_entry) ? image : nullptr, *new_entry, {});
}

Result<void> PartsUpdate::enter(Frame& frame, const Entry* image, const Entry* old_entry,
                                const Entry& new_entry, const PartPages& old_parts) {
  SATCHEL_TRY(check_depth(frames_.size()));
  SATCHEL_TRY(path_in(frame.path.text(), new_entry.name));
  push(image, old_entry, new_entry, new_entry.effective_file_id(frame.file_id),
       frame.path / new_entry.name, old_parts);
  return {};
}

/// Takes what the parts have at `name` out of them: the old tree's entry, or a whiteout for it.
Result<void> PartsUpdate::clear(Frame& frame, const Name& name, const Entry* old_entry) {
  for (PageEditor<Entry>& part : frame.parts) SATCHEL_TRY(part.set(name.text(), std::nullopt));
  if (old_entry == nullptr) return {};
  const RelativePath path = frame.path / name;
  if (old_entry->is_directory()) gone_directories_.add(path.text());
  if (old_entry->linked) {
    gone_links_.insert({old_entry->effective_file_id(frame.file_id), path.text()});
  }
  return {};
}

/// `entry` belongs to one part alone.
Result<void> PartsUpdate::put(Frame& frame, Entry entry) {
  SATCHEL_TRY(path_in(frame.path.text(), entry.name));
  const RelativePath path = frame.path / entry.name;
  const auto area = static_cast<std::size_t>(area_of_(path, entry.kind));
  if (entry.linked) {
    new_links_[area].insert({entry.effective_file_id(frame.file_id), path.text()});
  }
  const std::string name = entry.name.text();
  return frame.parts[area].set(name, std::move(entry));
}

/// Puts the innermost directory into the parts of the one around it.
Result<void> PartsUpdate::leave() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  SATCHEL_ASSIGN(const PartLists lists, finish_lists(frame));
  const bool has_entries =
      std::ranges::any_of(lists, [](const PageList& list) { return list.summary.entries > 0; });
  const bool is_way = frame.entry.mark == DirectoryMark::kInherit && has_entries;
  const bool is_nothing =
      frame.entry.mark == DirectoryMark::kInherit && !frame.image.is_none() && !has_entries;
  Entry way = frame.entry;
  way.mark = DirectoryMark::kInherit;
  const auto owner = static_cast<std::size_t>(area_of_(frame.path, Kind::kDirectory));
  for (std::size_t area = 0; area < kAreas; ++area) {
    std::optional<Entry> entry;
    if (area == owner && !is_way && !is_nothing) {
      entry = with_contents(frame.entry, lists[area]);
    } else if (lists[area].summary.entries > 0) {
      entry = with_contents(way, lists[area]);
    }
    SATCHEL_TRY(frames_.back().parts[area].set(way.name.text(), std::move(entry)));
  }
  return {};
}

Result<PartLists> PartsUpdate::finish_lists(Frame& frame) {
  PartLists lists;
  for (std::size_t area = 0; area < kAreas; ++area) {
    SATCHEL_ASSIGN(lists[area], frame.parts[area].finish());
  }
  return lists;
}

/// The root is the system's own, and a way in all other parts.
Result<Parts> PartsUpdate::finish(Frame& frame) {
  SATCHEL_ASSIGN(const PartLists lists, finish_lists(frame));
  Parts parts;
  for (std::size_t area = 0; area < kAreas; ++area) {
    const bool owns =
        static_cast<Area>(area) == Area::kSysdata && frame.entry.mark != DirectoryMark::kInherit;
    std::set<LinkItem> gone = gone_links_;
    const PageId& old_links = old_parts_[area].links;
    SATCHEL_TRY(collect_links(trees_, old_links, gone_directories_, gone));
    SATCHEL_ASSIGN(const PageId links, edit_links(trees_, old_links, gone, new_links_[area]));
    const Entry root = owns ? frame.entry : empty_layer().as_entry();
    parts[area] = Root::from_entry(with_contents(root, lists[area]), links);
  }
  return parts;
}

}  // namespace

std::string_view to_text(Area area) {
  static constexpr std::array<std::string_view, kAreas> kTexts = {"app", "sysdata", "data",
                                                                  "machine"};
  return kTexts[static_cast<std::size_t>(area)];
}

Result<Parts> split(TreeStore& trees, const Root& layer, const AreaOf& area_of) {
  Parts nothing;
  nothing.fill(empty_layer());
  return PartsUpdate(trees, nothing, area_of).make(nullptr, nullptr, layer.as_entry());
}

Result<Parts> update_parts(TreeStore& trees, const Root& image, const Root& old_tree,
                           const Parts& old_parts, const Root& new_tree, const AreaOf& area_of) {
  if (!image.is_tree() || !new_tree.is_tree()) {
    return contradiction("parts are made from what one tree changes in another");
  }
  if (old_tree == new_tree) return old_parts;
  const Entry image_root = image.as_entry();
  const Entry old_root = old_tree.as_entry();
  return PartsUpdate(trees, old_parts, area_of).make(&image_root, &old_root, new_tree.as_entry());
}

}  // namespace satchel::store
