#include "test/model/reference_links.h"

#include <algorithm>
#include <set>

namespace satchel::model {
namespace {

Node& node_at(Node& root, const std::string& path) {
  Node* node = &root;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    node = &node->children.at(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return *node;
}

bool agree(const Node& a, const Node& b) {
  Node copy = b;
  copy.file_id = a.file_id;
  return a == copy;
}

/// The first directory, by path, whose file id one before it has.
std::optional<Place> find_double_directory(const Tree& tree) {
  std::map<std::string, Place> by_path;  // bytewise, so a directory comes before those in it
  for (const Place& place : list_places(tree)) {
    if (place.node->is_directory()) by_path.emplace(place.path, place);
  }
  std::set<FileId> taken{root_file_id()};
  for (const auto& [path, place] : by_path) {
    if (!taken.insert(place.file_id).second) return place;
  }
  return std::nullopt;
}

/// Names of one file id that are one inode, in path order. A name without link flag is alone.
using Part = std::vector<std::string>;

std::vector<Part> parts_of(Tree& tree, const std::set<std::string>& paths) {
  std::vector<Part> parts;
  for (const std::string& path : paths) {
    const Node& node = node_at(tree.root, path);
    const auto same = std::find_if(parts.begin(), parts.end(), [&](const Part& part) {
      return node.linked && agree(node_at(tree.root, part.front()), node);
    });
    if (same == parts.end()) {
      parts.push_back({path});
    } else {
      same->push_back(path);
    }
  }
  return parts;
}

}  // namespace

void put_links_right(Tree& tree, Doubles doubles) {
  if (doubles == Doubles::kTellApart) {
    // One at a time: a new id gives what is inside by default new ids too.
    while (const auto found = find_double_directory(tree)) {
      node_at(tree.root, found->path).file_id = split_file_id(found->file_id, found->path);
    }
  }
  std::map<FileId, std::set<std::string>> paths_of;
  std::set<FileId> directories;
  for (const Place& place : list_places(tree)) {
    if (place.node->is_directory()) {
      directories.insert(place.file_id);
    } else if (place.node->linked || doubles == Doubles::kTellApart) {
      paths_of[place.file_id].insert(place.path);
    }
  }
  for (const auto& [id, paths] : paths_of) {
    bool taken = doubles == Doubles::kTellApart && directories.contains(id);
    for (const Part& part : parts_of(tree, paths)) {
      for (const std::string& path : part) {
        Node& node = node_at(tree.root, path);
        if (taken) node.file_id = split_file_id(id, part.front());
        node.linked = part.size() > 1;
      }
      taken = true;
    }
  }
}

}  // namespace satchel::model
