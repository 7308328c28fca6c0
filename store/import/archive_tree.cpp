#include "store/import/archive_tree.h"

#include <utility>

#include "store/directory.h"
#include "store/format_error.h"
#include "store/import/importer.h"
#include "store/links.h"

namespace satchel::store {
namespace {

Error bad_member(std::string_view why) {
  return {.code = EBADMSG, .sat = Sat::kBadArchive, .message = std::string(why)};
}

Entry implied_directory() {
  Entry entry;
  entry.kind = Kind::kDirectory;
  return entry;
}

}  // namespace

struct ArchiveTree::Node {
  std::shared_ptr<Inode> inode;
  std::map<Name, std::unique_ptr<Node>> children;  // of directories
};

/// Writes a tree bottom-up. Links are collected first, since an entry needs the id that its names
/// agree on.
class ArchiveTree::Writer {
 public:
  Writer(TreeStore& trees, DirectoryMark mark) : trees_(trees), mark_(mark) {}

  void collect_links(const Node& node, const std::string& path, const FileId& id) {
    if (node.inode->has_links) node.inode->link.add_name(path, id);
    const std::string prefix = path.empty() ? "" : path + "/";
    for (const auto& [name, child] : node.children) {
      collect_links(*child, prefix + name.text(), default_file_id(id, name));
    }
  }

  Result<DirectoryRef> write_directory(const Node& directory, const std::string& prefix) {
    DirectoryBuilder builder(trees_);
    for (const auto& [name, child] : directory.children) {
      const std::string path = prefix + name.text();
      Entry entry = child->inode->entry;
      entry.name = name;
      if (entry.is_directory()) {
        ++written.directories;
        entry.mark = mark_;
        SATCHEL_ASSIGN(entry.directory, write_directory(*child, path + "/"));
      } else {
        SATCHEL_TRY(finish_file(child->inode->link, path, entry));
      }
      SATCHEL_TRY(builder.append(entry));
    }
    return builder.finish();
  }

  Written written;
  std::vector<LinkItem> link_items;

 private:
  Result<void> finish_file(const LinkedFile& link, const std::string& path, Entry& entry) {
    ++written.files;
    if (!link.is_linked() || path == link.first_path()) written.bytes += entry.content.size;
    if (!link.is_linked()) return {};
    link.mark(entry);
    SATCHEL_ASSIGN(LinkItem item, link.link_item(path));
    link_items.push_back(std::move(item));
    return {};
  }

  TreeStore& trees_;
  DirectoryMark mark_;
};

Result<std::vector<Name>> parse_member_path(const std::string& path) {
  std::vector<Name> names;
  std::size_t start = 0;
  while (start < path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = std::string_view(path).substr(start, end - start);
    start = end + 1;
    if (part.empty() || part == ".") continue;
    auto name = Name::parse(part);
    if (!name) return bad_member(part == ".." ? "a path with \"..\"" : "a name too long");
    names.push_back(*std::move(name));
    if (names.size() > kImportDepthMax) return beyond_limit("directories too deep");
  }
  return names;
}

ArchiveTree::ArchiveTree() : root_(std::make_unique<Node>()) {
  root_->inode = std::make_shared<Inode>();
  root_->inode->entry = implied_directory();
}
ArchiveTree::~ArchiveTree() = default;

Result<std::shared_ptr<ArchiveTree::Inode>> ArchiveTree::add(const std::vector<Name>& path,
                                                             Entry entry) {
  if (path.empty() && !entry.is_directory()) return bad_member("a root that is no directory");
  SATCHEL_ASSIGN(Node* const node, make_way(path));
  const bool keeps_children =
      node->inode != nullptr && node->inode->entry.is_directory() && entry.is_directory();
  if (!keeps_children) node->children.clear();
  node->inode = std::make_shared<Inode>();
  node->inode->entry = std::move(entry);
  return node->inode;
}

Result<std::shared_ptr<ArchiveTree::Inode>> ArchiveTree::add_link(const std::vector<Name>& path,
                                                                  const std::vector<Name>& target) {
  const Node* const linked = find(target);
  if (linked == nullptr) return bad_member("a hard link to nothing");
  if (linked->inode->entry.is_directory()) return bad_member("a hard link to a directory");
  const std::shared_ptr<Inode> inode = linked->inode;  // the name may replace what leads to it
  if (path.empty()) return bad_member("a root that is no directory");
  inode->has_links = true;
  SATCHEL_ASSIGN(Node* const node, make_way(path));
  node->children.clear();
  node->inode = inode;
  return inode;
}

Result<ArchiveTree::Written> ArchiveTree::write(TreeStore& trees, DirectoryMark mark) {
  Writer writer(trees, mark);
  writer.collect_links(*root_, "", root_file_id());
  SATCHEL_ASSIGN(writer.written.directory, writer.write_directory(*root_, ""));
  SATCHEL_ASSIGN(writer.written.links, build_links(trees, std::move(writer.link_items)));
  writer.written.attributes = root_->inode->entry.attributes;
  return std::move(writer.written);
}

ArchiveTree::Node* ArchiveTree::find(const std::vector<Name>& path) const {
  Node* node = root_.get();
  for (const Name& name : path) {
    const auto child = node->children.find(name);
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
  }
  return node;
}

/// The node at `path`, which has no inode yet if it is new.
Result<ArchiveTree::Node*> ArchiveTree::make_way(const std::vector<Name>& path) {
  Node* node = root_.get();
  for (const Name& name : path) {
    if (node->inode == nullptr) {
      node->inode = std::make_shared<Inode>();
      node->inode->entry = implied_directory();
    }
    if (!node->inode->entry.is_directory()) {
      return bad_member("a path through what is no directory");
    }
    std::unique_ptr<Node>& child = node->children[name];
    if (child == nullptr) child = std::make_unique<Node>();
    node = child.get();
  }
  return node;
}

}  // namespace satchel::store
