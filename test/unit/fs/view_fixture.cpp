#include "test/unit/fs/view_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <set>
#include <sstream>
#include <utility>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "store/content_id.h"
#include "store/directory.h"
#include "store/links.h"
#include "test/unit/fs/host_files.h"
#include "test/unit/fs/plain_snapshot.h"

namespace satchel::fs::test {
namespace {

constexpr Caller kRoot{};

/// Makes a tree of what a plain directory holds.
class Importer {
 public:
  Importer(store::TreeStore& trees, MemoryContents& contents, std::string root)
      : trees_(trees), contents_(contents), root_(std::move(root)) {}

  store::RootId run() {
    store::Root root = store::empty_tree();
    root.attributes = attributes_of("");
    root.directory = import("");
    root.links = *store::build_links(trees_, links_);
    return *trees_.put_root(root);
  }

 private:
  [[nodiscard]] std::string host(const std::string& path) const { return root_ + "/" + path; }

  store::Attributes attributes_of(const std::string& path) {
    struct stat found {};
    SATCHEL_ASSERT(::lstat(host(path).c_str(), &found) == 0);
    return {.mode = static_cast<std::uint16_t>(found.st_mode & 07777),
            .uid = found.st_uid,
            .gid = found.st_gid,
            .mtime = Timestamp::from(found.st_mtim),
            .xattrs = *store::write_xattrs(trees_, xattrs_at(host(path)))};
  }

  store::DirectoryRef import(const std::string& directory) {
    const UniqueFd fd(::open(host(directory).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    store::DirectoryBuilder builder(trees_);
    for (const std::string& name : names_in(fd.get())) {
      SATCHEL_ASSERT(builder.append(entry_of(join(directory, name), name)).has_value());
    }
    return *builder.finish();
  }

  store::Entry entry_of(const std::string& path, const std::string& name) {
    struct stat found {};
    SATCHEL_ASSERT(::lstat(host(path).c_str(), &found) == 0);
    store::Entry entry;
    entry.name = Name::checked(name);
    entry.attributes = attributes_of(path);
    switch (found.st_mode & S_IFMT) {
      case S_IFREG: {
        entry.kind = store::Kind::kFile;
        const UniqueFd fd(::open(host(path).c_str(), O_RDONLY | O_CLOEXEC));
        entry.content = contents_.add(read_whole(fd.get()));
        break;
      }
      case S_IFDIR:
        entry.kind = store::Kind::kDirectory;
        entry.directory = import(path);
        break;
      case S_IFLNK: {
        entry.kind = store::Kind::kSymlink;
        std::string target(4096, '\0');
        const ssize_t size = ::readlink(host(path).c_str(), target.data(), target.size());
        entry.target = target.substr(0, static_cast<std::size_t>(size));
        break;
      }
      default:
        entry.kind = store::Kind::kFifo;
    }
    if (!entry.is_directory() && found.st_nlink > 1) {
      entry.linked = true;
      const auto known = linked_.try_emplace(
          found.st_ino,
          store::default_file_id(store::root_file_id(),
                                 Name::checked("inode " + std::to_string(found.st_ino))));
      entry.file_id = known.first->second;
      links_.push_back({.file_id = *entry.file_id, .path = path});
    }
    return entry;
  }

  store::TreeStore& trees_;
  MemoryContents& contents_;
  std::string root_;
  std::map<ino_t, store::FileId> linked_;
  std::vector<store::LinkItem> links_;
};

}  // namespace

store::ContentId MemoryContents::add(std::string_view bytes) {
  const store::ContentId id =
      bytes.empty() ? store::ContentId{} : store::content_id_of(as_bytes(bytes));
  const std::lock_guard lock(mutex_);
  bytes_.emplace(id, bytes);
  return id;
}

std::string MemoryContents::get(const store::ContentId& id) const {
  if (id.is_empty()) return {};
  const std::lock_guard lock(mutex_);
  return bytes_.at(id);
}

std::size_t MemoryContents::adopted() const {
  const std::lock_guard lock(mutex_);
  return adopted_;
}

Result<std::size_t> MemoryContents::read(const store::ContentId& id, std::uint64_t offset,
                                         std::span<std::byte> out) {
  std::function<void()> action;
  {
    const std::lock_guard lock(mutex_);
    action = std::exchange(at_next_read_, {});
  }
  if (action) action();
  const std::string bytes = get(id);
  if (offset >= bytes.size()) return std::size_t{0};
  const std::size_t count = std::min(out.size(), bytes.size() - offset);
  std::memcpy(out.data(), bytes.data() + offset, count);
  return count;
}

Result<std::shared_ptr<const UniqueFd>> MemoryContents::find_file(const store::ContentId& id) {
  if (!are_files_) return std::shared_ptr<const UniqueFd>();
  UniqueFd fd(::memfd_create("content", MFD_CLOEXEC));
  SATCHEL_TRY(pwrite_all(fd.get(), as_bytes(get(id)), 0));
  return std::make_shared<const UniqueFd>(std::move(fd));
}

Result<void> MemoryContents::copy_to(const store::ContentId& id, int fd) {
  return pwrite_all(fd, as_bytes(get(id)), 0);
}

Result<void> MemoryContents::adopt(const store::ContentId& id, int directory_fd, const char* name) {
  const UniqueFd fd(::openat(directory_fd, name, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(name);
  if (add(read_whole(fd.get())) != id) return Error{.code = EBADMSG};
  if (::unlinkat(directory_fd, name, 0) != 0) return errno_error(name);
  const std::lock_guard lock(mutex_);
  ++adopted_;
  return {};
}

policies::Decision TestRouter::decide(const RelativePath& path, store::Kind /*kind*/) const {
  policies::Decision decision;
  if (path.is_within(*RelativePath::parse("local"))) decision.action = policies::Action::kLocal;
  if (path.is_within(*RelativePath::parse("deny"))) decision.action = policies::Action::kDeny;
  return decision;
}

void RecordingNotifier::forget_entry(NodeId /*parent*/, const Name& name) {
  entries.push_back(name.text());
}
void RecordingNotifier::forget_inode(NodeId node) {
  inodes.push_back(node);
}

void RecordingNotifier::forget_attributes(NodeId node) {
  inodes.push_back(node);
}

std::ostream& operator<<(std::ostream& out, const Found& found) {
  std::string bytes = found.bytes.substr(0, 32);
  return out << std::oct << found.mode << std::dec << " nlink " << found.nlink << " " << found.uid
             << ":" << found.gid << " size " << found.size << " '" << escape_for_display(bytes)
             << "' xattrs '" << found.xattrs << "' same as '" << found.links << "'";
}

std::string differences(const Listing& expected, const Listing& found) {
  std::string text;
  const auto describe = [&](const std::string& path, const Found* one, const Found* two) {
    std::ostringstream out;
    out << path << "\n    expected ";
    one != nullptr ? out << *one : out << "nothing";
    out << "\n    found    ";
    two != nullptr ? out << *two : out << "nothing";
    text += out.str() + "\n";
  };
  for (const auto& [path, one] : expected) {
    const auto two = found.find(path);
    if (two == found.end() || !(one == two->second)) {
      describe(path, &one, two == found.end() ? nullptr : &two->second);
    }
  }
  for (const auto& [path, two] : found) {
    if (!expected.contains(path)) describe(path, nullptr, &two);
  }
  return text;
}

void fill(Side& side) {
  const auto must = [](int code) { SATCHEL_ASSERT(code == 0); };
  must(side.make_directory("dir", 0755));
  must(side.make_directory("dir/sub", 0700));
  must(side.make_directory("dir/sub/deep", 0755));
  must(side.make_directory("empty", 0755));
  must(side.make_directory("local", 0755));
  for (const std::string path :
       {"file", "dir/a", "dir/b", "dir/sub/c", "dir/sub/deep/d", "local/x"}) {
    must(side.make_file(path, 0644));
    must(side.write(path, 0, "content of " + path + "\n"));
  }
  must(side.make_file("void", 0600));
  must(side.make_file("dir/setuid", 0755));
  must(side.write("dir/setuid", 0, "#!"));
  must(side.change_mode("dir/setuid", 06755));
  must(side.link("dir/a", "dir/sub/a2"));
  must(side.link("dir/a", "a3"));
  must(side.make_symlink("dir/link", "../file"));
  must(side.make_fifo("dir/fifo", 0600));
  must(side.set_xattr("file", "user.note", "hello"));
}

// The view.

/// Gives back the look-ups that a walk along a path has made.
class Workspace::Forgetter {
 public:
  explicit Forgetter(View& view) : view_(view) {}
  ~Forgetter() {
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) view_.forget(*node, 1);
  }
  Forgetter(const Forgetter&) = delete;
  Forgetter& operator=(const Forgetter&) = delete;

  Result<NodeId> walk(const std::string& path) {
    NodeId node = kRootNode;
    const auto parsed = RelativePath::parse(path);
    if (!parsed) return parsed.error();
    for (const Name& name : parsed->names()) {
      SATCHEL_ASSIGN(const auto found, view_.lookup(node, name));
      keep(found.node);
      node = found.node;
    }
    return node;
  }
  Result<NodeId> walk_to_parent(const std::string& path) {
    const auto parsed = RelativePath::parse(path);
    if (!parsed) return parsed.error();
    SATCHEL_ASSIGN(const NodeId parent, walk(parsed->parent().text()));
    SATCHEL_ASSIGN(const NodeStat stat, view_.get_attributes(parent));
    if (!S_ISDIR(stat.mode)) return Error{.code = ENOTDIR};
    return parent;
  }
  void keep(NodeId node) { nodes_.push_back(node); }

 private:
  View& view_;
  std::vector<NodeId> nodes_;
};

Workspace::Workspace(int plain_directory) : directory_(std::make_unique<satchel::test::TempDir>()) {
  base_ = plain_directory >= 0 ? import(plain_directory) : *trees_.put_root(store::empty_tree());
  reopen();
}

Workspace::~Workspace() = default;

store::RootId Workspace::import(int directory_fd) {
  return Importer(trees_, contents_, "/proc/self/fd/" + std::to_string(directory_fd)).run();
}

void Workspace::reopen(bool crash) {
  if (crash) SATCHEL_ASSERT(set_fault_point("upper.close:1:eio").has_value());
  view_.reset();
  SATCHEL_ASSERT(set_fault_point("").has_value());
  auto upper =
      Upper::open(directory_->path(), {.root = base_, .version = 1, .image_root = base_}, log_);
  SATCHEL_ASSERT(upper.has_value());
  const store::RootId base = (*upper)->base().root;
  auto view = View::open({.trees = trees_,
                          .contents = contents_,
                          .router = router_,
                          .clock = clock_,
                          .random = random_,
                          .log = log_,
                          .block_copy_bytes = block_copy_bytes_},
                         base, *std::move(upper));
  SATCHEL_ASSERT(view.has_value());
  view_ = *std::move(view);
  view_->set_notifier(&notifier_);
}

store::BaseSwitch Workspace::seal() {
  const auto sealed = view_->seal();
  SATCHEL_ASSERT(sealed.has_value());
  PlainSnapshot snapshot = take_plain_snapshot(*sealed, *view_, trees_, contents_, router_);
  return {.generation = sealed->generation,
          .snapshot = snapshot.root,
          .base_root = snapshot.root,
          .base_version = sealed->base_version + 1,
          .image_root = {},
          .contents = std::move(snapshot.contents),
          .travels = [this](const RelativePath& path,
                            store::Kind kind) { return router_.decide(path, kind).travels(); },
          .busy = {}};
}

void Workspace::commit() {
  const auto switched = view_->switch_base(seal());
  SATCHEL_ASSERT(switched.has_value());
}

Result<NodeReply> Workspace::find(const std::string& path) {
  Forgetter forgetter(*view_);
  SATCHEL_ASSIGN(const NodeId node, forgetter.walk(path));
  SATCHEL_ASSIGN(const NodeStat stat, view_->get_attributes(node));
  return NodeReply{.node = node, .stat = stat};
}

NodeId Workspace::hold(const std::string& path) {
  Forgetter forgetter(*view_);
  const auto parent = forgetter.walk_to_parent(path);
  SATCHEL_ASSERT(parent.has_value());
  return view_->lookup(*parent, RelativePath::parse(path)->name()).value().node;
}

NodeStat Workspace::stat(const std::string& path) {
  const auto found = find(path);
  SATCHEL_ASSERT(found.has_value());
  return found->stat;
}

std::string Workspace::read(const std::string& path) {
  Forgetter forgetter(*view_);
  const auto node = forgetter.walk(path);
  if (!node) return "error " + std::to_string(node.error().code);
  const auto open = view_->open_file(*node, O_RDONLY);
  if (!open) return "error " + std::to_string(open.error().code);
  std::string text(stat(path).size + 1, '\0');
  const auto count = view_->read(open->handle, 0, std::as_writable_bytes(std::span(text)));
  view_->release(open->handle);
  if (!count) return "error " + std::to_string(count.error().code);
  text.resize(*count);
  return text;
}

std::vector<std::string> Workspace::names(const std::string& path) {
  Forgetter forgetter(*view_);
  const auto node = forgetter.walk(path);
  SATCHEL_ASSERT(node.has_value());
  const auto handle = view_->open_directory(*node);
  SATCHEL_ASSERT(handle.has_value());
  std::vector<std::string> found;
  const auto listed = view_->read_directory(*handle, 0, [&](const View::DirectoryItem& item) {
    if (item.name != "." && item.name != "..") found.push_back(item.name);
    return true;
  });
  view_->release_directory(*handle);
  SATCHEL_ASSERT(listed.has_value());
  return found;
}

int Workspace::make_file(const std::string& path, mode_t mode) {
  Forgetter forgetter(*view_);
  const auto parent = forgetter.walk_to_parent(path);
  if (!parent) return parent.error().code;
  const auto made = view_->create(*parent, RelativePath::parse(path)->name(), S_IFREG | mode,
                                  O_WRONLY | O_CREAT | O_EXCL, kRoot);
  if (!made) return made.error().code;
  view_->release(made->open.handle);
  forgetter.keep(made->node.node);
  return 0;
}

int Workspace::make_directory(const std::string& path, mode_t mode) {
  Forgetter forgetter(*view_);
  const auto parent = forgetter.walk_to_parent(path);
  if (!parent) return parent.error().code;
  const auto made = view_->make_directory(*parent, RelativePath::parse(path)->name(), mode, kRoot);
  if (made) forgetter.keep(made->node);
  return code_of(made);
}

int Workspace::make_symlink(const std::string& path, const std::string& target) {
  Forgetter forgetter(*view_);
  const auto parent = forgetter.walk_to_parent(path);
  if (!parent) return parent.error().code;
  const auto made = view_->make_symlink(*parent, RelativePath::parse(path)->name(), target, kRoot);
  if (made) forgetter.keep(made->node);
  return code_of(made);
}

int Workspace::make_fifo(const std::string& path, mode_t mode) {
  Forgetter forgetter(*view_);
  const auto parent = forgetter.walk_to_parent(path);
  if (!parent) return parent.error().code;
  const auto made =
      view_->make_node(*parent, RelativePath::parse(path)->name(), S_IFIFO | mode, 0, kRoot);
  if (made) forgetter.keep(made->node);
  return code_of(made);
}

int Workspace::write_at(const std::string& path, std::uint64_t offset, const std::string& bytes,
                        bool append) {
  Forgetter forgetter(*view_);
  const auto node = forgetter.walk(path);
  if (!node) return node.error().code;
  const auto open = view_->open_file(*node, O_WRONLY | (append ? O_APPEND : 0));
  if (!open) return open.error().code;
  const auto written = view_->write(open->handle, offset, as_bytes(bytes), append, false);
  view_->release(open->handle);
  return code_of(written);
}

int Workspace::write(const std::string& path, std::uint64_t offset, const std::string& bytes) {
  return write_at(path, offset, bytes, false);
}
int Workspace::append(const std::string& path, const std::string& bytes) {
  return write_at(path, 0, bytes, true);
}

int Workspace::change(const std::string& path, const AttributeChange& change) {
  Forgetter forgetter(*view_);
  const auto node = forgetter.walk(path);
  if (!node) return node.error().code;
  return code_of(view_->set_attributes(*node, std::nullopt, change, kRoot));
}

int Workspace::truncate(const std::string& path, std::uint64_t size) {
  AttributeChange wanted;
  wanted.size = size;
  return change(path, wanted);
}

int Workspace::change_mode(const std::string& path, mode_t mode) {
  AttributeChange wanted;
  wanted.mode = mode;
  return change(path, wanted);
}

int Workspace::change_owner(const std::string& path, uid_t uid, gid_t gid) {
  AttributeChange wanted;
  wanted.uid = uid;
  wanted.gid = gid;
  wanted.kill_suid = true;
  return change(path, wanted);
}

int Workspace::set_xattr(const std::string& path, const std::string& name,
                         const std::string& value) {
  Forgetter forgetter(*view_);
  const auto node = forgetter.walk(path);
  if (!node) return node.error().code;
  return code_of(view_->set_xattr(*node, name, value, XattrMode::kAny));
}

int Workspace::unlink(const std::string& path) {
  Forgetter forgetter(*view_);
  const auto parent = forgetter.walk_to_parent(path);
  if (!parent) return parent.error().code;
  return code_of(view_->unlink(*parent, RelativePath::parse(path)->name()));
}

int Workspace::remove_directory(const std::string& path) {
  Forgetter forgetter(*view_);
  const auto parent = forgetter.walk_to_parent(path);
  if (!parent) return parent.error().code;
  return code_of(view_->remove_directory(*parent, RelativePath::parse(path)->name()));
}

int Workspace::link(const std::string& from, const std::string& to) {
  Forgetter forgetter(*view_);
  const auto node = forgetter.walk(from);
  if (!node) return node.error().code;
  const auto parent = forgetter.walk_to_parent(to);
  if (!parent) return parent.error().code;
  const auto made = view_->link(*node, *parent, RelativePath::parse(to)->name());
  if (made) forgetter.keep(made->node);
  return code_of(made);
}

int Workspace::rename(const std::string& from, const std::string& to, unsigned flags) {
  Forgetter forgetter(*view_);
  const auto old_parent = forgetter.walk_to_parent(from);
  if (!old_parent) return old_parent.error().code;
  const auto new_parent = forgetter.walk_to_parent(to);
  if (!new_parent) return new_parent.error().code;
  const RenameMode mode = flags == RENAME_EXCHANGE    ? RenameMode::kExchange
                          : flags == RENAME_NOREPLACE ? RenameMode::kNoReplace
                                                      : RenameMode::kReplace;
  return code_of(view_->rename(*old_parent, RelativePath::parse(from)->name(), *new_parent,
                               RelativePath::parse(to)->name(), mode, kRoot));
}

void Workspace::list_below(NodeId directory, const std::string& path, Listing& listing,
                           std::map<std::uint64_t, std::string>& first_paths) {
  std::vector<std::string> found_names = names(path);
  std::sort(found_names.begin(), found_names.end());
  for (const std::string& name : found_names) {
    const std::string below = join(path, name);
    const auto child = view_->lookup(directory, Name::checked(name));
    SATCHEL_ASSERT(child.has_value());
    const NodeStat& stat = child->stat;
    Found found{.mode = stat.mode,
                .nlink = stat.nlink,
                .uid = stat.uid,
                .gid = stat.gid,
                .size = S_ISDIR(stat.mode) ? 0 : stat.size,
                .bytes = {},
                .xattrs = {},
                .links = first_paths.try_emplace(stat.ino, below).first->second};
    if (S_ISREG(stat.mode)) found.bytes = read(below);
    if (S_ISLNK(stat.mode)) found.bytes = *view_->read_link(child->node);
    store::Xattrs xattrs;
    const auto xattr_names = *view_->list_xattrs(child->node);
    for (const std::string& xattr : xattr_names) {
      xattrs[xattr] = *view_->get_xattr(child->node, xattr);
    }
    found.xattrs = text_of(xattrs);
    listing[below] = found;
    if (S_ISDIR(stat.mode)) list_below(child->node, below, listing, first_paths);
    view_->forget(child->node, 1);
  }
}

Listing Workspace::list() {
  Listing listing;
  std::map<std::uint64_t, std::string> first_paths;
  list_below(kRootNode, "", listing, first_paths);
  return listing;
}

}  // namespace satchel::fs::test
