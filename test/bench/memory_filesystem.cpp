// What does FUSE itself cost? A filesystem that keeps all in memory and answers each request at
// once, over the same transport and with the same wishes to the kernel as the view, but without
// passthrough. Its threads lend their cores, and FORGETs gather, as in the view.
//
//   memory_filesystem DIRECTORY [DATABASE]      serves until DIRECTORY is unmounted
//
// With DATABASE, a folder, it also writes one batch of rows into RocksDB for each name that is made
// or removed, and for each SETATTR: what a filesystem costs that keeps its names there, and loses
// none when it is killed. It reads none of them.
#define FUSE_USE_VERSION 317
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fs/core_lending.h"
#include "store/metadata_db.h"

namespace {

constexpr double kRememberSeconds = 86'400;
constexpr unsigned kWriteBytesMax = 1U << 20U;
constexpr unsigned kRingRequestsAll = 64;
constexpr unsigned kRingDepthMax = 8;
constexpr std::size_t kBlockBytes = 512;
constexpr std::chrono::milliseconds kForgetsGather{5};

struct Node {
  struct stat stat {};
  std::string bytes;  ///< of a file; of a symlink its target
  std::map<std::string, fuse_ino_t, std::less<>> names;
};

std::mutex mutex;  // all below
std::unordered_map<fuse_ino_t, Node> nodes;
fuse_ino_t next_node = FUSE_ROOT_ID + 1;

/// Rows as short as they may be: the node's number, what struct stat says that changes, times.
class Rows {
 public:
  explicit Rows(satchel::store::MetadataDb database) : database_(std::move(database)) {}
  void put_node(fuse_ino_t id) { batch_.put(kNodes, key_of(id), std::string(kNodeBytes, 'n')); }
  void remove_node(fuse_ino_t id) { batch_.remove(kNodes, key_of(id)); }
  void put_name(fuse_ino_t parent, std::string_view name, fuse_ino_t id) {
    batch_.put(kNames, key_of(parent) + std::string(name), key_of(id));
  }
  void remove_name(fuse_ino_t parent, std::string_view name) {
    batch_.remove(kNames, key_of(parent) + std::string(name));
  }
  void write() {
    if (!database_.write(batch_)) std::abort();
    batch_.clear();
  }

 private:
  static constexpr satchel::store::Family kNames = 0;
  static constexpr satchel::store::Family kNodes = 1;
  static constexpr std::size_t kNodeBytes = 64;
  static std::string key_of(fuse_ino_t id) {
    std::string key;
    for (unsigned shift = 64; shift > 0; shift -= 8) {
      key.push_back(static_cast<char>(id >> (shift - 8) & 0xFFU));
    }
    return key;
  }
  satchel::store::MetadataDb database_;
  satchel::store::MetadataBatch batch_;
};

std::optional<Rows> rows;  // guarded by `mutex`; empty: none are written

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

Node& make_node(fuse_ino_t id, mode_t mode, const fuse_ctx* owner) {
  Node& node = nodes[id];
  node.stat.st_ino = id;
  node.stat.st_mode = mode;
  node.stat.st_nlink = S_ISDIR(mode) ? 2 : 1;
  node.stat.st_blksize = 4096;
  if (owner != nullptr) {
    node.stat.st_uid = owner->uid;
    node.stat.st_gid = owner->gid;
  }
  node.stat.st_atim = node.stat.st_mtim = node.stat.st_ctim = now();
  return node;
}

const struct stat& stat_of(Node& node) {
  if (!S_ISDIR(node.stat.st_mode)) node.stat.st_size = static_cast<off_t>(node.bytes.size());
  node.stat.st_blocks = static_cast<blkcnt_t>((node.bytes.size() + kBlockBytes - 1) / kBlockBytes);
  return node.stat;
}

fuse_entry_param entry_of(fuse_ino_t id) {
  fuse_entry_param entry{};
  entry.ino = id;
  entry.attr = stat_of(nodes.at(id));
  entry.attr_timeout = entry.entry_timeout = kRememberSeconds;
  return entry;
}

void changed(Node& directory) {
  directory.stat.st_mtim = directory.stat.st_ctim = now();
}

void op_init(void* /*data*/, fuse_conn_info* connection) {
  for (const std::uint64_t wanted :
       {FUSE_CAP_ASYNC_READ, FUSE_CAP_ATOMIC_O_TRUNC, FUSE_CAP_PARALLEL_DIROPS,
        FUSE_CAP_READDIRPLUS, FUSE_CAP_READDIRPLUS_AUTO, FUSE_CAP_POSIX_ACL, FUSE_CAP_DONT_MASK,
        FUSE_CAP_HANDLE_KILLPRIV_V2, FUSE_CAP_EXPLICIT_INVAL_DATA, FUSE_CAP_CACHE_SYMLINKS,
        FUSE_CAP_NO_OPENDIR_SUPPORT}) {
    fuse_set_feature_flag(connection, wanted);
  }
  connection->max_write = kWriteBytesMax;
  connection->time_gran = 1;
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  fuse_entry_param entry{};
  entry.entry_timeout = kRememberSeconds;
  {
    const std::lock_guard lock(mutex);
    const auto& names = nodes.at(parent).names;
    const auto found = names.find(std::string_view(name));
    if (found != names.end()) entry = entry_of(found->second);
  }
  fuse_reply_entry(req, &entry);
}

void op_getattr(fuse_req_t req, fuse_ino_t id, fuse_file_info* /*info*/) {
  struct stat stat {};
  {
    const std::lock_guard lock(mutex);
    stat = stat_of(nodes.at(id));
  }
  fuse_reply_attr(req, &stat, kRememberSeconds);
}

void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat* values, int fields,
                fuse_file_info* /*info*/) {
  struct stat stat {};
  {
    const std::lock_guard lock(mutex);
    Node& node = nodes.at(id);
    const auto has = [&](int field) { return (fields & field) != 0; };
    node.stat.st_ctim = now();
    if (has(FUSE_SET_ATTR_MODE)) {
      node.stat.st_mode = (node.stat.st_mode & S_IFMT) | (values->st_mode & 07777U);
    }
    if (has(FUSE_SET_ATTR_UID)) node.stat.st_uid = values->st_uid;
    if (has(FUSE_SET_ATTR_GID)) node.stat.st_gid = values->st_gid;
    if (has(FUSE_SET_ATTR_SIZE)) node.bytes.resize(static_cast<std::size_t>(values->st_size));
    if (has(FUSE_SET_ATTR_ATIME)) node.stat.st_atim = values->st_atim;
    if (has(FUSE_SET_ATTR_MTIME)) node.stat.st_mtim = values->st_mtim;
    if (has(FUSE_SET_ATTR_ATIME_NOW)) node.stat.st_atim = node.stat.st_ctim;
    if (has(FUSE_SET_ATTR_MTIME_NOW)) node.stat.st_mtim = node.stat.st_ctim;
    stat = stat_of(node);
    if (rows) {
      rows->put_node(id);
      rows->write();
    }
  }
  fuse_reply_attr(req, &stat, kRememberSeconds);
}

void write_new_name(fuse_ino_t parent, const char* name, fuse_ino_t id) {
  if (!rows) return;
  rows->put_name(parent, name, id);
  rows->put_node(id);
  rows->put_node(parent);
  rows->write();
}

/// A new node with a name; 0: the name is taken.
fuse_ino_t make_child(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  Node& directory = nodes.at(parent);
  if (!directory.names.try_emplace(name, next_node).second) return 0;
  changed(directory);
  const fuse_ctx* const context = fuse_req_ctx(req);
  if (!S_ISLNK(mode)) mode &= ~context->umask;
  make_node(next_node, mode, context);
  if (S_ISDIR(mode)) ++nodes.at(parent).stat.st_nlink;
  write_new_name(parent, name, next_node);
  return next_node++;
}

void make(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
          std::string_view target) {
  fuse_entry_param entry{};
  {
    const std::lock_guard lock(mutex);
    const fuse_ino_t id = make_child(req, parent, name, mode);
    if (id != 0) {
      nodes.at(id).bytes = target;
      entry = entry_of(id);
    }
  }
  if (entry.ino == 0) {
    fuse_reply_err(req, EEXIST);
  } else {
    fuse_reply_entry(req, &entry);
  }
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  make(req, parent, name, S_IFDIR | mode, {});
}

void op_symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  make(req, parent, name, S_IFLNK | 0777, target);
}

void op_readlink(fuse_req_t req, fuse_ino_t id) {
  std::string target;
  {
    const std::lock_guard lock(mutex);
    target = nodes.at(id).bytes;
  }
  fuse_reply_readlink(req, target.c_str());
}

void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char* name) {
  fuse_entry_param entry{};
  {
    const std::lock_guard lock(mutex);
    nodes.at(parent).names[name] = id;
    changed(nodes.at(parent));
    ++nodes.at(id).stat.st_nlink;
    write_new_name(parent, name, id);
    entry = entry_of(id);
  }
  fuse_reply_entry(req, &entry);
}

/// 0 or an errno. A node without a name stays in memory until the end, but for a file's bytes: no
/// workload reads what it has removed.
int remove(fuse_ino_t parent, const char* name) {
  const std::lock_guard lock(mutex);
  Node& directory = nodes.at(parent);
  const auto found = directory.names.find(std::string_view(name));
  if (found == directory.names.end()) return ENOENT;
  Node& child = nodes.at(found->second);
  if (!child.names.empty()) return ENOTEMPTY;
  if (S_ISDIR(child.stat.st_mode)) --directory.stat.st_nlink;
  if (--child.stat.st_nlink == 0) std::string().swap(child.bytes);
  if (rows) {
    rows->remove_name(parent, name);
    rows->remove_node(found->second);
    rows->put_node(parent);
    rows->write();
  }
  directory.names.erase(found);
  changed(directory);
  return 0;
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
  fuse_reply_err(req, remove(parent, name));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned /*flags*/) {
  {
    const std::lock_guard lock(mutex);
    Node& from = nodes.at(parent);
    Node& to = nodes.at(new_parent);
    const auto found = from.names.find(std::string_view(name));
    const fuse_ino_t id = found->second;
    from.names.erase(found);
    to.names[new_name] = id;
    changed(from);
    changed(to);
  }
  fuse_reply_err(req, 0);
}

void op_open(fuse_req_t req, fuse_ino_t id, fuse_file_info* info) {
  if ((info->flags & O_TRUNC) != 0) {
    const std::lock_guard lock(mutex);
    nodes.at(id).bytes.clear();
  }
  info->keep_cache = 1;
  fuse_reply_open(req, info);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* info) {
  fuse_entry_param entry{};
  {
    const std::lock_guard lock(mutex);
    const fuse_ino_t id = make_child(req, parent, name, S_IFREG | (mode & 07777U));
    if (id != 0) entry = entry_of(id);
  }
  if (entry.ino == 0) {
    fuse_reply_err(req, EEXIST);
  } else {
    fuse_reply_create(req, &entry, info);
  }
}

void op_read(fuse_req_t req, fuse_ino_t id, std::size_t size, off_t offset,
             fuse_file_info* /*info*/) {
  std::string bytes;
  {
    const std::lock_guard lock(mutex);
    const std::string& all = nodes.at(id).bytes;
    const auto begin = std::min(static_cast<std::size_t>(offset), all.size());
    bytes.assign(all, begin, size);
  }
  fuse_reply_buf(req, bytes.data(), bytes.size());
}

void op_write(fuse_req_t req, fuse_ino_t id, const char* bytes, std::size_t size, off_t offset,
              fuse_file_info* info) {
  {
    const std::lock_guard lock(mutex);
    Node& node = nodes.at(id);
    const auto begin =
        (info->flags & O_APPEND) != 0 ? node.bytes.size() : static_cast<std::size_t>(offset);
    if (node.bytes.size() < begin + size) node.bytes.resize(begin + size);
    std::memcpy(node.bytes.data() + begin, bytes, size);
    changed(node);
  }
  fuse_reply_write(req, size);
}

void op_release(fuse_req_t req, fuse_ino_t /*id*/, fuse_file_info* /*info*/) {
  fuse_reply_err(req, 0);
}

void op_fsync(fuse_req_t req, fuse_ino_t /*id*/, int /*data_only*/, fuse_file_info* /*info*/) {
  fuse_reply_err(req, 0);
}

void op_fallocate(fuse_req_t req, fuse_ino_t /*id*/, int /*mode*/, off_t /*offset*/,
                  off_t /*length*/, fuse_file_info* /*info*/) {
  fuse_reply_err(req, EOPNOTSUPP);
}

void op_getxattr(fuse_req_t req, fuse_ino_t /*id*/, const char* name, std::size_t /*size*/) {
  fuse_reply_err(req, std::string_view(name) == "security.selinux" ? EOPNOTSUPP : ENODATA);
}

void op_statfs(fuse_req_t req, fuse_ino_t /*id*/) {
  struct statvfs stat {};
  stat.f_bsize = stat.f_frsize = 4096;
  stat.f_blocks = stat.f_bfree = stat.f_bavail = 1U << 24U;
  stat.f_namemax = 255;
  fuse_reply_statfs(req, &stat);
}

template <bool kPlus>
void list(fuse_req_t req, fuse_ino_t id, std::size_t size, off_t offset, fuse_file_info* /*info*/) {
  std::vector<char> buffer(size);
  std::size_t used = 0;
  {
    const std::lock_guard lock(mutex);
    off_t position = 0;
    for (const auto& [name, child] : nodes.at(id).names) {
      if (position++ < offset) continue;
      const fuse_entry_param entry = entry_of(child);
      char* const at = buffer.data() + used;
      const std::size_t left = buffer.size() - used;
      const std::size_t bytes =
          kPlus ? fuse_add_direntry_plus(req, at, left, name.c_str(), &entry, position)
                : fuse_add_direntry(req, at, left, name.c_str(), &entry.attr, position);
      if (bytes > left) break;
      used += bytes;
    }
  }
  fuse_reply_buf(req, buffer.data(), used);
}

void op_forget(fuse_req_t req, fuse_ino_t /*id*/, std::uint64_t /*lookups*/) {
  std::this_thread::sleep_for(kForgetsGather);
  fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, std::size_t /*count*/, fuse_forget_data* /*forgets*/) {
  std::this_thread::sleep_for(kForgetsGather);
  fuse_reply_none(req);
}

/// Answers by kAnswer, from a core that is lent if the request came by a ring.
template <auto kAnswer, class... Arguments>
void lent(fuse_req_t req, Arguments... arguments) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  if (fuse_req_is_uring(req)) satchel::fs::lend_core();
#endif
  kAnswer(req, arguments...);
}

fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops ops{};
  ops.init = op_init;
  ops.lookup = lent<op_lookup>;
  ops.getattr = lent<op_getattr>;
  ops.setattr = lent<op_setattr>;
  ops.mkdir = lent<op_mkdir>;
  ops.symlink = lent<op_symlink>;
  ops.readlink = lent<op_readlink>;
  ops.link = lent<op_link>;
  ops.unlink = lent<op_unlink>;
  ops.rmdir = lent<op_unlink>;
  ops.rename = lent<op_rename>;
  ops.open = lent<op_open>;
  ops.create = lent<op_create>;
  ops.read = lent<op_read>;
  ops.write = lent<op_write>;
  ops.release = lent<op_release>;
  ops.fsync = lent<op_fsync>;
  ops.fallocate = lent<op_fallocate>;
  ops.getxattr = lent<op_getxattr>;
  ops.statfs = lent<op_statfs>;
  ops.readdir = lent<list<false>>;
  ops.readdirplus = lent<list<true>>;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  return ops;
}

int serve(const char* directory) {
  std::string list = "fsname=memory,default_permissions,allow_other";
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  list += ",io_uring,io_uring_q_depth=" +
          std::to_string(std::clamp(kRingRequestsAll / cores, 1U, kRingDepthMax));
#endif
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  for (const char* const argument : {"memory_filesystem", "-o", list.c_str()}) {
    fuse_opt_add_arg(&arguments, argument);
  }
  const fuse_lowlevel_ops operations = make_operations();
  fuse_session* const session =
      fuse_session_new(&arguments, &operations, sizeof operations, nullptr);
  if (session == nullptr || fuse_session_mount(session, directory) != 0) return 1;
  fuse_loop_config* const config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 1);
  const int result = fuse_session_loop_mt(session, config);
  fuse_loop_cfg_destroy(config);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  fuse_opt_free_args(&arguments);
  return result == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** values) {
  if (count != 2 && count != 3) {
    std::cerr << "usage: memory_filesystem DIRECTORY [DATABASE]\n";
    return 2;
  }
  if (count == 3) {
    auto database = satchel::store::MetadataDb::open(satchel::HostPath{values[2]},
                                                     {.families = {"names", "nodes"}});
    if (!database) {
      std::cerr << "memory_filesystem: " << satchel::to_text(database.error()) << '\n';
      return 1;
    }
    rows.emplace(*std::move(database));
  }
  make_node(FUSE_ROOT_ID, S_IFDIR | 0755, nullptr);
  const int result = serve(values[1]);
  rows.reset();  // before what RocksDB keeps for the process
  return result;
}
