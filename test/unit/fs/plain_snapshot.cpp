#include "test/unit/fs/plain_snapshot.h"

#include <sys/stat.h>

#include <set>

#include "base/file_io.h"
#include "store/diff.h"
#include "store/directory.h"
#include "store/links.h"

namespace satchel::fs::test {
namespace {

using store::Entry;
using store::Kind;
using store::UpperNode;

class Snapshot {
 public:
  Snapshot(const store::SealedUpper& sealed, store::LiveUpper& upper, store::TreeStore& trees,
           MemoryContents& contents, const redirector::Router& router)
      : sealed_(sealed), upper_(upper), trees_(trees), contents_(contents), router_(router) {}

  PlainSnapshot run() {
    base_ = *trees_.get_root(sealed_.base_root);
    const Entry base_root = base_.as_entry();
    Entry root = directory_entry(sealed_.nodes[0], {}, &base_root, store::root_file_id());
    store::Root tree = store::Root::from_entry(root, {});
    std::vector<store::LinkItem> links;
    const auto walked = store::walk_tree(
        trees_, tree, [&](const RelativePath& path, const Entry& entry) -> Result<void> {
          if (entry.linked) links.push_back({.file_id = *entry.file_id, .path = path.text()});
          return {};
        });
    SATCHEL_ASSERT(walked.has_value());
    tree.links = *store::build_links(trees_, links);
    result_.root = *trees_.put_root(tree);
    return std::move(result_);
  }

 private:
  /// `node` merged with its base directory, or `base` itself if there is no node.
  Entry directory_entry(const UpperNode& node, const RelativePath& path, const Entry* base,
                        const store::FileId& parent) {
    std::map<std::string, Entry> entries;
    store::FileId base_id = node.file_id;
    if (base != nullptr) {
      const auto below = *store::list_directory(trees_, base->directory.page);
      for (const Entry& entry : below) {
        Entry kept = entry;
        kept.file_id = entry.effective_file_id(base_id);
        entries.insert_or_assign(entry.name.text(), kept);
      }
    }
    for (const UpperNode::Child& child : node.children) {
      const RelativePath below = path / child.name;
      const auto found = entries.find(child.name.text());
      std::optional<Entry> old;
      if (found != entries.end()) old = found->second;
      const Kind kind = child.node ? sealed_.nodes[*child.node].kind
                        : old      ? old->kind
                                   : Kind::kFile;
      if (!router_.decide(below, kind).travels()) continue;
      entries.erase(child.name.text());
      if (!child.node) continue;
      entries.insert_or_assign(child.name.text(), entry_of(sealed_.nodes[*child.node], child.name,
                                                           below, old, node.file_id));
    }
    Entry made;
    made.kind = Kind::kDirectory;
    made.file_id = node.file_id;
    if (node.has_own_attributes || base == nullptr) {
      set_attributes(node, made);
    } else {
      made.attributes = base->attributes;
    }
    store::DirectoryBuilder builder(trees_);
    for (auto& [name, entry] : entries) {
      entry.normalize_file_id(node.file_id);
      SATCHEL_ASSERT(builder.append(entry).has_value());
    }
    made.directory = *builder.finish();
    (void)parent;
    return made;
  }

  Entry entry_of(const UpperNode& node, const Name& name, const RelativePath& path,
                 const std::optional<Entry>& same_place, const store::FileId& parent) {
    Entry entry;
    if (node.kind == Kind::kDirectory) {
      std::optional<Entry> base;
      if (node.base == store::BaseOfDirectory::kSamePlace) {
        base = same_place;
        SATCHEL_ASSERT(base.has_value());
      } else if (node.base == store::BaseOfDirectory::kBasePath) {
        base = *store::find_path(trees_, base_, node.base_path);
        SATCHEL_ASSERT(base.has_value());
      }
      entry = directory_entry(node, path, base ? &*base : nullptr, parent);
      entry.name = name;
      return entry;
    }
    entry.name = name;
    entry.kind = node.kind;
    entry.file_id = node.file_id;
    entry.linked = node.names > 1;
    entry.target = node.target;
    entry.device = node.device;
    set_attributes(node, entry);
    if (node.kind == Kind::kFile) entry.content = content_of(node);
    return entry;
  }

  void set_attributes(const UpperNode& node, Entry& entry) {
    entry.attributes = {.mode = node.mode,
                        .uid = node.uid,
                        .gid = node.gid,
                        .mtime = node.mtime,
                        .xattrs = *store::write_xattrs(trees_, node.xattrs)};
  }

  store::ContentId content_of(const UpperNode& node) {
    if (node.content) return *node.content;
    const auto known = result_.contents.find(node.id);
    if (known != result_.contents.end()) return known->second;
    const auto fd = upper_.read(node.id);
    SATCHEL_ASSERT(fd.has_value());
    std::string bytes(static_cast<std::size_t>(node.size), '\0');
    SATCHEL_ASSERT(pread_all(fd->get(), std::as_writable_bytes(std::span(bytes)), 0).value() ==
                   node.size);
    return result_.contents.emplace(node.id, contents_.add(bytes)).first->second;
  }

  const store::SealedUpper& sealed_;
  store::LiveUpper& upper_;
  store::TreeStore& trees_;
  MemoryContents& contents_;
  const redirector::Router& router_;
  store::Root base_;
  PlainSnapshot result_;
};

}  // namespace

PlainSnapshot take_plain_snapshot(const store::SealedUpper& sealed, store::LiveUpper& upper,
                                  store::TreeStore& trees, MemoryContents& contents,
                                  const redirector::Router& router) {
  return Snapshot(sealed, upper, trees, contents, router).run();
}

}  // namespace satchel::fs::test
