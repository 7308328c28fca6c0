#include "fs/view_reader.h"

#include <fcntl.h>

#include <algorithm>
#include <deque>
#include <utility>

namespace satchel::fs {
namespace {

constexpr unsigned kLinksMax = 40;

/// One look-up of a node, given back at the end.
class HeldNode {
 public:
  HeldNode(View& view, const NodeReply& found)
      : view_(&view), node_(found.node), stat_(found.stat) {}
  HeldNode(HeldNode&& other) noexcept
      : view_(std::exchange(other.view_, nullptr)), node_(other.node_), stat_(other.stat_) {}
  HeldNode(const HeldNode&) = delete;
  HeldNode& operator=(const HeldNode&) = delete;
  HeldNode& operator=(HeldNode&&) = delete;
  ~HeldNode() {
    if (view_ != nullptr) view_->forget(node_, 1);
  }

  [[nodiscard]] NodeId node() const { return node_; }
  [[nodiscard]] const NodeStat& stat() const { return stat_; }
  [[nodiscard]] mode_t mode() const { return stat_.mode; }

 private:
  View* view_;
  NodeId node_;
  NodeStat stat_;
};

Error error_at(const RelativePath& path, Error error) {
  error.path = path.absolute();
  return error;
}

void put_before(std::deque<std::string>& names, std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (slash != 0) parts.emplace_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  names.insert(names.begin(), parts.begin(), parts.end());
}

/// The nodes from below the root to `path`; none: it is the root.
Result<std::vector<HeldNode>> walk(View& view, const RelativePath& path,
                                   ViewReader::LastLink last) {
  std::vector<HeldNode> way;
  std::deque<std::string> names;
  put_before(names, path.text());
  for (unsigned links = 0; !names.empty();) {
    const std::string text = std::move(names.front());
    names.pop_front();
    if (text == ".") continue;
    if (text == "..") {
      if (!way.empty()) way.pop_back();
      continue;
    }
    SATCHEL_ASSIGN(const Name name, Name::parse(text));
    const NodeId parent = way.empty() ? kRootNode : way.back().node();
    SATCHEL_ASSIGN(const NodeReply found, view.lookup(parent, name));
    HeldNode held(view, found);
    if (!S_ISLNK(held.mode()) || (names.empty() && last == ViewReader::LastLink::kKeep)) {
      way.push_back(std::move(held));
      continue;
    }
    if (++links > kLinksMax) return Error{.code = ELOOP};
    SATCHEL_ASSIGN(const std::string target, view.read_link(held.node()));
    if (target.starts_with('/')) way.clear();
    put_before(names, target);
  }
  return way;
}

Result<std::string> read_open_file(View& view, HandleId handle, std::size_t size) {
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const auto rest = std::as_writable_bytes(std::span(text)).subspan(done);
    SATCHEL_ASSIGN(const std::size_t count, view.read(handle, done, rest));
    if (count == 0) break;
    done += count;
  }
  text.resize(done);
  return text;
}

}  // namespace

Result<std::optional<NodeStat>> ViewReader::find_stat(const RelativePath& path,
                                                      LastLink last) const {
  const auto way = walk(view_, path, last);
  if (!way) {
    if (way.error().code == ENOENT || way.error().code == ENOTDIR) {
      return std::optional<NodeStat>();
    }
    return error_at(path, way.error());
  }
  if (!way->empty()) return std::optional(way->back().stat());
  const auto root = view_.get_attributes(kRootNode);
  if (!root) return error_at(path, root.error());
  return std::optional(*root);
}

Result<std::optional<mode_t>> ViewReader::find_mode(const RelativePath& path, LastLink last) const {
  SATCHEL_ASSIGN(const auto found, find_stat(path, last));
  return found ? std::optional(found->mode) : std::nullopt;
}

Result<std::vector<Name>> ViewReader::list(const RelativePath& directory,
                                           std::size_t names_max) const {
  SATCHEL_ASSIGN(const std::vector<Item> items, list_items(directory, names_max));
  std::vector<Name> names;
  for (const Item& item : items) names.push_back(item.name);
  return names;
}

Result<std::vector<ViewReader::Item>> ViewReader::list_items(const RelativePath& directory,
                                                             std::size_t names_max) const {
  const auto way = walk(view_, directory, LastLink::kFollow);
  if (!way) return error_at(directory, way.error());
  const auto handle = view_.open_directory(way->empty() ? kRootNode : way->back().node());
  if (!handle) return error_at(directory, handle.error());
  std::vector<Item> items;
  const auto read = view_.read_directory(*handle, 0, [&](const View::DirectoryItem& item) {
    if (item.name != "." && item.name != "..") {
      items.push_back({.name = Name::checked(item.name), .type = item.type});
    }
    return items.size() <= names_max;
  });
  view_.release_directory(*handle);
  if (!read) return error_at(directory, read.error());
  if (items.size() > names_max) {
    return error_at(directory, {.code = EFBIG,
                                .sat = Sat::kLimit,
                                .message = "more than " + std::to_string(names_max) + " names"});
  }
  std::ranges::sort(items, {}, &Item::name);
  return items;
}

Result<std::string> ViewReader::read_file(const RelativePath& file, std::size_t bytes_max) const {
  const auto way = walk(view_, file, LastLink::kKeep);
  if (!way) return error_at(file, way.error());
  const mode_t mode = way->empty() ? S_IFDIR : way->back().mode();
  if (S_ISLNK(mode)) return error_at(file, {.code = ELOOP});
  if (!S_ISREG(mode)) {
    return error_at(file, {.code = EINVAL, .message = "it is not a regular file"});
  }
  const std::uint64_t size = way->back().stat().size;
  if (size > bytes_max) {
    return error_at(file, {.code = EFBIG,
                           .sat = Sat::kLimit,
                           .message = "longer than " + std::to_string(bytes_max) + " bytes"});
  }
  const auto opened = view_.open_file(way->back().node(), O_RDONLY | O_NOATIME);
  if (!opened) return error_at(file, opened.error());
  auto text = read_open_file(view_, opened->handle, size);
  view_.release(opened->handle);
  if (!text) return error_at(file, text.error());
  return text;
}

Result<std::string> ViewReader::read_link(const RelativePath& link) const {
  const auto way = walk(view_, link, LastLink::kKeep);
  if (!way) return error_at(link, way.error());
  if (way->empty() || !S_ISLNK(way->back().mode())) return error_at(link, {.code = EINVAL});
  return view_.read_link(way->back().node());
}

}  // namespace satchel::fs
