#include "cli/tree_lookup.h"

#include <deque>
#include <string_view>
#include <variant>

namespace satchel::cli {
namespace {

using store::Kind;

constexpr unsigned kLinksMax = 40;  // as the kernel

Error no_path(int code, const RelativePath& path) {
  return {.code = code,
          .sat = code == ENOENT ? Sat::kNotFound : Sat::kNone,
          .message = {},
          .path = path.absolute()};
}

std::deque<std::string> names_of(std::string_view text) {
  std::deque<std::string> names;
  while (!text.empty()) {
    const std::size_t slash = text.find('/');
    if (slash != 0) names.emplace_back(text.substr(0, slash));
    text = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
  }
  return names;
}

}  // namespace

Result<store::Root> tree_of(store::Repository& repository, store::TreeStore& trees,
                            const syncer::RefVersion& version) {
  SATCHEL_ASSIGN(const auto record, repository.read_ref(version.name, version.number));
  struct RootOf {
    store::RootId operator()(const store::LayerBody& body) const { return body.root; }
    store::RootId operator()(const store::ImageBody& body) const { return body.composed; }
    store::RootId operator()(const store::UserBody& body) const { return body.composed; }
  };
  return trees.get_root(std::visit(RootOf{}, record.body));
}

Result<FoundEntry> find_in_tree(store::TreeStore& trees, const store::Root& root,
                                const RelativePath& path, LastLink last) {
  std::deque<std::string> rest = names_of(path.text());
  std::vector<FoundEntry> way{{RelativePath(), root.as_entry()}};
  unsigned links = 0;
  while (!rest.empty()) {
    const std::string text = rest.front();
    rest.pop_front();
    if (text == ".") continue;
    if (text == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    SATCHEL_ASSIGN(const Name name, Name::parse(text));
    if (!way.back().entry.is_directory()) return no_path(ENOTDIR, path);
    SATCHEL_ASSIGN(auto entry, store::find_entry(trees, way.back().entry.directory.page, name));
    if (!entry) return no_path(ENOENT, path);
    if (entry->kind == Kind::kSymlink && (!rest.empty() || last == LastLink::kFollow)) {
      if (++links > kLinksMax) return no_path(ELOOP, path);
      std::deque<std::string> target = names_of(entry->target);
      if (entry->target.starts_with('/')) way.resize(1);
      rest.insert(rest.begin(), target.begin(), target.end());
      continue;
    }
    way.push_back({way.back().path / name, *std::move(entry)});
  }
  return way.back();
}

}  // namespace satchel::cli
