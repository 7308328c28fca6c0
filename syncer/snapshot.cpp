#include "syncer/snapshot.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "store/directory.h"
#include "syncer/edit_tree.h"
#include "syncer/restrict.h"

namespace satchel::syncer {
namespace {

using store::Attributes;
using store::BaseOfDirectory;
using store::ContentId;
using store::DirectoryEdit;
using store::DirectoryRef;
using store::Entry;
using store::Kind;
using store::LocatedEntry;
using store::Root;
using store::UpperNode;

Error contradiction(const RelativePath& path, std::string_view what) {
  return {.code = EUCLEAN,
          .sat = Sat::kContradiction,
          .message = std::string(what),
          .path = path.absolute()};
}

/// Builds the new tree from the changed directories, the deepest first. What does not travel is
/// left out where that is plain; restrict_change() does the rest.
class Builder {
 public:
  Builder(const SnapshotContext& context, const store::SealedUpper& sealed, const Root& base)
      : context_(context), sealed_(sealed), base_(base), names_of_node_(sealed.nodes.size(), 0) {
    for (const UpperNode& node : sealed.nodes) {
      for (const UpperNode::Child& child : node.children) {
        if (child.node) ++names_of_node_.at(*child.node);
      }
    }
  }

  Result<Snapshot> build() {
    snapshot_.tree = base_;
    const UpperNode& root = sealed_.nodes.front();
    const Place place{.path = {}, .is_in_place = true};
    const LocatedEntry source{base_.as_entry(), store::root_file_id()};
    SATCHEL_ASSIGN(const Entry entry, build_directory(root, base_.as_entry().name, place, source));
    snapshot_.tree = Root::from_entry(entry, base_.links);
    SATCHEL_ASSIGN(snapshot_.tree, restrict_change(context_.trees, base_, snapshot_.tree,
                                                   travelling_paths(context_.rules)));
    snapshot_.third_leg = base_;
    note_origins(root, RelativePath());
    if (!origins_.is_empty()) {
      SATCHEL_ASSIGN(snapshot_.third_leg, edit_tree(context_.trees, base_, origins_));
      snapshot_.has_origins = snapshot_.third_leg != base_;
    }
    return std::move(snapshot_);
  }

 private:
  struct Place {
    RelativePath path;
    /// What the change is merged with is what the base has at this path: no edit keeps that.
    bool is_in_place = true;
    std::size_t depth = 0;
    /// Where the base has, or might have, what is there; none: it is in a new directory, or is one.
    std::optional<RelativePath> base = RelativePath();
  };

  /// `source` is the base directory that the changes are merged with, if there is one.
  Result<Entry> build_directory(const UpperNode& node, const Name& name, const Place& place,
                                const std::optional<LocatedEntry>& source) {
    if (place.depth > kDepthMax) {
      return Error{.code = EUCLEAN,
                   .sat = Sat::kLimit,
                   .message = "directories are nested deeper than 4096",
                   .path = place.path.absolute()};
    }
    const store::PageId page =
        source ? source->entry.directory.page : store::empty_directory_page();
    std::vector<DirectoryEdit> edits;
    for (const UpperNode::Child& child : node.children) {
      SATCHEL_TRY(add_edit(child, node, place, page, edits));
    }
    Entry entry;
    entry.name = name;
    entry.kind = Kind::kDirectory;
    entry.file_id = node.file_id;
    SATCHEL_ASSIGN(entry.directory, store::edit_directory(context_.trees, page, edits));
    SATCHEL_ASSIGN(entry.attributes, directory_attributes(node, place, source));
    return entry;
  }

  Result<Attributes> directory_attributes(const UpperNode& node, const Place& place,
                                          const std::optional<LocatedEntry>& source) {
    if (!node.has_own_attributes) {
      if (!source) return contradiction(place.path, "a new directory has no attributes");
      return source->entry.attributes;
    }
    SATCHEL_ASSIGN(Attributes attributes, own_attributes(node));
    if (source && place.is_in_place &&
        context_.rules.coverage_below(place.path) == Coverage::kNone) {
      attributes.mtime = source->entry.attributes.mtime;
    }
    return attributes;
  }

  Result<Attributes> own_attributes(const UpperNode& node) {
    Attributes attributes{
        .mode = node.mode, .uid = node.uid, .gid = node.gid, .mtime = node.mtime, .xattrs = {}};
    SATCHEL_ASSIGN(attributes.xattrs, store::write_xattrs(context_.trees, node.xattrs));
    return attributes;
  }

  static std::optional<RelativePath> below(const std::optional<RelativePath>& directory,
                                           const Name& name) {
    return directory ? std::optional(*directory / name) : std::nullopt;
  }

  /// What changes were made to stands where the base has it, wherever that is shown now. `base`:
  /// where that is for what is in `directory`.
  void note_origins(const UpperNode& directory, const std::optional<RelativePath>& base) {
    for (const UpperNode::Child& child : directory.children) {
      const UpperNode* const node = child.node ? &sealed_.nodes.at(*child.node) : nullptr;
      std::optional<RelativePath> place = below(base, child.name);
      if (child.origin != nullptr && place && !carried_.contains(place->text())) {
        const Kind kind = node != nullptr ? node->kind : child.origin->kind;
        if (context_.rules.travels(*place, kind)) origins_.set(*place, *child.origin);
      }
      if (node == nullptr || node->kind != Kind::kDirectory) continue;
      if (node->base == BaseOfDirectory::kNothing) place.reset();
      if (node->base == BaseOfDirectory::kBasePath) place = node->base_path;
      note_origins(*node, place);
    }
  }

  Result<void> add_edit(const UpperNode::Child& child, const UpperNode& parent, const Place& above,
                        const store::PageId& page, std::vector<DirectoryEdit>& edits) {
    const Place place{.path = above.path / child.name,
                      .is_in_place = above.is_in_place,
                      .depth = above.depth + 1,
                      .base = below(above.base, child.name)};
    const UpperNode* const node = child.node ? &sealed_.nodes.at(*child.node) : nullptr;
    SATCHEL_ASSIGN(const auto old, store::find_entry(context_.trees, page, child.name));
    if (node == nullptr && !old) return {};  // made and removed again
    const Kind kind = node != nullptr ? node->kind : old->kind;
    const bool travels = context_.rules.travels(place.path, kind);
    const bool holds_travellers =
        kind == Kind::kDirectory && context_.rules.coverage_below(place.path) != Coverage::kNone;
    if (!travels && !holds_travellers) {
      if (!place.is_in_place && old) edits.push_back({child.name, std::nullopt});
      return {};
    }
    if (node == nullptr) {
      edits.push_back({child.name, std::nullopt});
      return {};
    }
    std::optional<Entry> entry;
    if (kind == Kind::kDirectory) {
      SATCHEL_ASSIGN(entry, changed_directory(*node, parent, place, child.name, old));
    } else {
      SATCHEL_ASSIGN(entry, changed_file(child, place, old));
    }
    if (entry) entry->normalize_file_id(parent.file_id);
    if (entry == old) return {};
    if (entry || old) edits.push_back({child.name, std::move(entry)});
    return {};
  }

  Result<Entry> changed_directory(const UpperNode& node, const UpperNode& parent, Place place,
                                  const Name& name, const std::optional<Entry>& old) {
    std::optional<LocatedEntry> source;
    switch (node.base) {
      case BaseOfDirectory::kNothing:
        place.base.reset();
        break;
      case BaseOfDirectory::kSamePlace:
        if (old) source = LocatedEntry{*old, old->effective_file_id(parent.file_id)};
        break;
      case BaseOfDirectory::kBasePath: {
        SATCHEL_ASSIGN(source, store::locate_path(context_.trees, base_, node.base_path));
        place.base = node.base_path;
        break;
      }
    }
    if (node.base != BaseOfDirectory::kNothing && (!source || !source->entry.is_directory())) {
      return contradiction(place.path, "the base has no directory for this one");
    }
    place.is_in_place = place.is_in_place && node.base == BaseOfDirectory::kSamePlace;
    return build_directory(node, name, place, source);
  }

  /// Nullopt: it never got quiet, and there is no old content to carry over.
  Result<std::optional<Entry>> changed_file(const UpperNode::Child& child, const Place& place,
                                            const std::optional<Entry>& old) {
    const std::uint32_t index = *child.node;
    const UpperNode& node = sealed_.nodes[index];
    Entry entry;
    entry.name = child.name;
    entry.kind = node.kind;
    entry.file_id = node.file_id;
    entry.linked = names_of_node_[index] > 1;
    entry.target = node.target;
    entry.device = node.device;
    SATCHEL_ASSIGN(entry.attributes, own_attributes(node));
    if (node.kind != Kind::kFile) return entry;
    SATCHEL_ASSIGN(const auto content, content_of(index));
    if (content) {
      entry.content = *content;
      return entry;
    }
    snapshot_.busy.push_back(place.path);
    if (child.origin != nullptr && old && old->kind == Kind::kFile && !entry.linked && place.base) {
      carried_.insert(place.base->text());  // no change yet, so it was made to the base's
      return old;
    }
    const Entry* const carried = old && old->kind == Kind::kFile ? &*old : child.origin.get();
    if (carried == nullptr || carried->kind != Kind::kFile) return std::nullopt;
    entry.content = carried->content;
    entry.attributes.mtime = carried->attributes.mtime;
    return entry;
  }

  /// Read once, however many names the file has.
  Result<std::optional<ContentId>> content_of(std::uint32_t index) {
    const UpperNode& node = sealed_.nodes[index];
    if (node.content) return node.content;
    if (const auto known = hashed_.find(index); known != hashed_.end()) return known->second;
    SATCHEL_ASSIGN(const QuietContent quiet,
                   store_quiet_content(context_.upper, node.id, sealed_.generation, context_.upload,
                                       snapshot_.counts));
    std::optional<ContentId> content;
    if (quiet.state != QuietContent::State::kBusy) content = quiet.content;
    if (quiet.state == QuietContent::State::kQuiet) snapshot_.contents[node.id] = quiet.content;
    hashed_[index] = content;
    return content;
  }

  const SnapshotContext& context_;
  const store::SealedUpper& sealed_;
  const Root& base_;
  std::vector<std::uint32_t> names_of_node_;
  std::map<std::uint32_t, std::optional<ContentId>> hashed_;
  TreeEdits origins_;
  /// Paths of the base whose files were busy, so that the snapshot has them as the base does.
  std::set<std::string> carried_;
  Snapshot snapshot_;
};

}  // namespace

Result<Snapshot> take_snapshot(const SnapshotContext& context, const store::SealedUpper& sealed) {
  SATCHEL_ASSERT(!sealed.nodes.empty());
  SATCHEL_ASSIGN(const Root base, context.trees.get_root(sealed.base_root));
  return Builder(context, sealed, base).build();
}

}  // namespace satchel::syncer
