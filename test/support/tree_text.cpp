#include "test/support/tree_text.h"

#include <doctest/doctest.h>

#include <charconv>
#include <map>
#include <sstream>

#include "base/sha256.h"
#include "store/diff.h"
#include "store/directory.h"
#include "store/links.h"

namespace satchel::test {
namespace {

using store::DirectoryMark;
using store::Entry;
using store::FileId;
using store::Kind;

/// An entry and, in a directory, what is in it.
struct Node {
  Entry entry;
  std::map<std::string, Node> children;
};

template <typename Number>
Number number_in(std::string_view text, int base = 10) {
  Number number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number, base);
  REQUIRE(result.ptr == text.data() + text.size());
  return number;
}

FileId id_of(char character) {
  FileId id;
  id.bytes.fill(static_cast<std::byte>(character));
  return id;
}

store::ContentId content_of(std::string_view text) {
  if (text.empty()) return {};
  return {{sha256(as_bytes(text))}, text.size()};
}

void set_word(const std::string& word, Entry& entry, store::Xattrs& xattrs) {
  const std::size_t equals = word.find('=');
  const std::string key = word.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
  if (key.empty()) {
    entry.content = content_of(value);
  } else if (word.starts_with("->")) {
    entry.kind = Kind::kSymlink;
    entry.target = word.substr(2);
  } else if (word == "whiteout") {
    entry = Entry::whiteout(entry.name);
  } else if (word == "opaque") {
    entry.mark = DirectoryMark::kOpaque;
  } else if (word == "inherit") {
    entry.mark = DirectoryMark::kInherit;
  } else if (word == "plain") {
    entry.mark = DirectoryMark::kNone;
  } else if (word == "linked") {
    entry.linked = true;
  } else if (key == "mode") {
    entry.attributes.mode = number_in<std::uint16_t>(value, 8);
  } else if (key == "uid") {
    entry.attributes.uid = number_in<std::uint32_t>(value);
  } else if (key == "gid") {
    entry.attributes.gid = number_in<std::uint32_t>(value);
  } else if (key == "mtime") {
    entry.attributes.mtime.seconds = number_in<std::int64_t>(value);
  } else if (key == "id") {
    entry.file_id = id_of(value.at(0));
  } else if (key.starts_with("user.")) {
    xattrs[key] = value;
  } else {
    FAIL("unknown word: " << word);
  }
}

class Maker {
 public:
  Maker(store::TreeStore& trees, DirectoryMark unnamed) : trees_(trees), unnamed_(unnamed) {
    root_.entry = store::empty_tree().as_entry();
    root_.entry.mark = unnamed;
  }

  void add(const std::string& line) {
    std::istringstream words(line);
    std::string path;
    words >> path;
    const bool is_directory = path.ends_with('/');
    Node& node = node_at(path);
    if (!is_directory) {
      const Name name = node.entry.name;
      node.entry = Entry();
      node.entry.name = name;
      node.entry.attributes.mode = 0644;
    } else {
      node.entry.mark = DirectoryMark::kNone;
    }
    store::Xattrs xattrs;
    for (std::string word; words >> word;) set_word(word, node.entry, xattrs);
    if (xattrs.empty()) return;
    auto ref = store::write_xattrs(trees_, xattrs);
    REQUIRE(ref);
    node.entry.attributes.xattrs = *ref;
  }

  store::Root finish() {
    const Entry root = put(root_, store::root_file_id(), "");
    auto links = store::build_links(trees_, links_);
    REQUIRE(links);
    return store::Root::from_entry(root, *links);
  }

 private:
  Node& node_at(const std::string& text) {
    const auto path = RelativePath::parse(text);
    REQUIRE(path);
    Node* node = &root_;
    for (const Name& name : path->names()) {
      node = &node->children.try_emplace(name.text(), unnamed_directory(name)).first->second;
    }
    return *node;
  }

  [[nodiscard]] Node unnamed_directory(const Name& name) const {
    Node node;
    node.entry.name = name;
    node.entry.kind = Kind::kDirectory;
    node.entry.directory = store::empty_tree().directory;
    node.entry.mark = unnamed_;
    return node;
  }

  Entry put(const Node& node, const FileId& id, const std::string& path) {
    Entry entry = node.entry;
    if (entry.linked) links_.push_back({id, path});
    if (!entry.is_directory()) return entry;
    store::DirectoryBuilder builder(trees_);
    for (const auto& [name, child] : node.children) {
      REQUIRE(builder.append(
          put(child, child.entry.effective_file_id(id), path.empty() ? name : path + "/" + name)));
    }
    auto directory = builder.finish();
    REQUIRE(directory);
    entry.directory = *directory;
    return entry;
  }

  store::TreeStore& trees_;
  DirectoryMark unnamed_;
  Node root_;
  std::vector<store::LinkItem> links_;
};

store::Root make(store::TreeStore& trees, DirectoryMark unnamed, const Lines& lines) {
  Maker maker(trees, unnamed);
  for (const std::string& line : lines) maker.add(line);
  return maker.finish();
}

std::string line_of(store::TreeStore& trees, const std::string& path, const Entry& entry) {
  std::ostringstream line;
  line << path << (entry.is_directory() && path != "/" ? "/" : "");
  if (entry.is_whiteout()) return line.str() + " whiteout";
  if (entry.mark == DirectoryMark::kOpaque) line << " opaque";
  if (entry.mark == DirectoryMark::kInherit) line << " inherit";
  if (!entry.content.is_empty()) line << " =" << entry.content.digest.hex().substr(0, 8);
  if (!entry.target.empty()) line << " ->" << entry.target;
  const store::Attributes& attributes = entry.attributes;
  line << " mode=" << std::oct << attributes.mode << std::dec;
  if (attributes.uid != 0) line << " uid=" << attributes.uid;
  if (attributes.gid != 0) line << " gid=" << attributes.gid;
  if (attributes.mtime.seconds != 0) line << " mtime=" << attributes.mtime.seconds;
  if (entry.file_id && path != "/") line << " id=" << *entry.file_id;
  if (entry.linked) line << " linked";
  const auto xattrs = store::read_xattrs(trees, attributes.xattrs);
  REQUIRE(xattrs);
  for (const auto& [name, value] : *xattrs) line << ' ' << name << '=' << value;
  return line.str();
}

}  // namespace

store::Root make_tree(store::TreeStore& trees, const Lines& lines) {
  return make(trees, DirectoryMark::kNone, lines);
}

store::Root make_layer(store::TreeStore& trees, const Lines& lines) {
  return make(trees, DirectoryMark::kInherit, lines);
}

Lines lines_of(store::TreeStore& trees, const store::Root& root) {
  Lines lines{line_of(trees, "/", root.as_entry())};
  std::vector<store::LinkItem> links;
  REQUIRE(store::walk_tree(trees, root, [&](const RelativePath& path, const Entry& entry) {
    lines.push_back(line_of(trees, path.text(), entry));
    if (entry.linked)
      links.push_back({store::locate_path(trees, root, path)->value().file_id, path.text()});
    return Result<void>();
  }));
  const auto table = store::build_links(trees, links);
  REQUIRE(table);
  CHECK(*table == root.links);
  return lines;
}

}  // namespace satchel::test
