#include "fs/fuse_ops.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "fs/core_lending.h"
#include "fs/fuse_caller.h"
#include "fs/fuse_listing.h"
#include "fs/inode_flags.h"

namespace satchel::fs {
namespace {

constexpr unsigned kWriteBytesMax = 1U << 20U;
constexpr unsigned kBackgroundMax = 64;
constexpr unsigned kCongestion = 48;
constexpr std::chrono::milliseconds kForgetsGather{5};
constexpr std::size_t kForgetsAtOnce = 1024;  ///< they hold up all changes of names
constexpr const char* kAccessAcl = "system.posix_acl_access";
constexpr const char* kTrusted = "trusted.";

View& view(fuse_req_t req) {
  return served(req).view;
}
NodeId node_of(fuse_ino_t ino) {
  return NodeId{ino};
}
HandleId handle_of(const fuse_file_info* info) {
  return HandleId{info->fh};
}

Result<EntryReply> entry(Result<NodeReply> node) {
  SATCHEL_TRY(node);
  return EntryReply{*std::move(node)};
}

template <typename Operations>
void want(fuse_conn_info* connection, Operations capabilities) {
  for (const auto capability : capabilities) {
    // False where the kernel lacks it; then requests come in the older way, which is served too.
    (void)fuse_set_feature_flag(connection, capability);
  }
}

void op_init(void* user_data, fuse_conn_info* connection) {
  auto& mount = *static_cast<ServedView*>(user_data);
  mount.requests.count("init");
  want(connection,
       std::array<std::uint64_t, 10>{
           FUSE_CAP_ASYNC_READ, FUSE_CAP_ATOMIC_O_TRUNC, FUSE_CAP_PARALLEL_DIROPS,
           FUSE_CAP_READDIRPLUS, FUSE_CAP_READDIRPLUS_AUTO, FUSE_CAP_POSIX_ACL, FUSE_CAP_DONT_MASK,
           FUSE_CAP_HANDLE_KILLPRIV_V2, FUSE_CAP_EXPLICIT_INVAL_DATA, FUSE_CAP_CACHE_SYMLINKS});
  mount.opens_directories = !fuse_set_feature_flag(connection, FUSE_CAP_NO_OPENDIR_SUPPORT);
  mount.takes_backings = fuse_set_feature_flag(connection, FUSE_CAP_PASSTHROUGH);
  if (mount.is_exported) (void)fuse_set_feature_flag(connection, FUSE_CAP_EXPORT_SUPPORT);
  // Not the writeback cache: the kernel would then own sizes and times, and it excludes
  // passthrough.
  // Not direct I/O that goes on after the call: the kernel drops cached pages before it but not
  // after it, so a reader in between would keep the old bytes.
  for (const std::uint64_t capability :
       {FUSE_CAP_WRITEBACK_CACHE, FUSE_CAP_AUTO_INVAL_DATA, FUSE_CAP_FLOCK_LOCKS,
        FUSE_CAP_POSIX_LOCKS, FUSE_CAP_ASYNC_DIO}) {
    fuse_unset_feature_flag(connection, capability);
  }
  connection->max_write = kWriteBytesMax;
  connection->max_background = kBackgroundMax;
  connection->congestion_threshold = kCongestion;
  connection->time_gran = 1;
  mount.is_ready.store(true);
}

void op_destroy(void* user_data) {
  static_cast<ServedView*>(user_data)->requests.count("destroy");
}

// Names and attributes.

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  answer(req, "lookup", [&]() -> Result<EntryReply> {
    // Only for an exported mount: a handle whose node the kernel has forgotten.
    if (std::string_view(name) == ".") return entry(view(req).find_again(node_of(parent)));
    if (std::string_view(name) == "..") return entry(view(req).find_parent(node_of(parent)));
    SATCHEL_ASSIGN(const auto parsed, Name::parse(name));
    auto found = view(req).lookup(node_of(parent), parsed);
    if (!found && found.error().code == ENOENT) return EntryReply{};
    return entry(std::move(found));
  });
}

// Nobody waits for a FORGET, and each may hold up and wake others. Where the rings carry all else,
// the thread that reads them lets more of them gather, for the next FORGET to bring them all.
void let_forgets_gather(fuse_req_t req) {
  if (served(req).ring_requests.load(std::memory_order_relaxed) == 0) return;
  std::this_thread::sleep_for(kForgetsGather);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, std::uint64_t lookups) {
  answer(req, "forget", [&]() -> Result<NoReply> {
    view(req).forget(node_of(ino), lookups);
    let_forgets_gather(req);
    return NoReply{};
  });
}

void op_forget_multi(fuse_req_t req, std::size_t count, fuse_forget_data* forgets) {
  answer(req, "forget_multi", [&]() -> Result<NoReply> {
    std::vector<Lookups> some;
    for (const fuse_forget_data& forget : std::span(forgets, count)) {
      some.push_back({.node = node_of(forget.ino), .count = forget.nlookup});
      if (some.size() < kForgetsAtOnce) continue;
      view(req).forget(some);
      some.clear();
    }
    view(req).forget(some);
    if (count < kForgetsAtOnce) let_forgets_gather(req);
    return NoReply{};
  });
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, fuse_file_info* /*info*/) {
  answer(req, "getattr", [&]() -> Result<AttributesReply> {
    SATCHEL_ASSIGN(const auto stat, view(req).get_attributes(node_of(ino)));
    return AttributesReply{stat};
  });
}

AttributeChange to_change(const struct stat& values, int fields, const fuse_file_info* info) {
  const auto has = [&](int field) { return (fields & field) != 0; };
  AttributeChange change;
  if (has(FUSE_SET_ATTR_MODE)) change.mode = values.st_mode & 07777U;
  if (has(FUSE_SET_ATTR_UID)) change.uid = values.st_uid;
  if (has(FUSE_SET_ATTR_GID)) change.gid = values.st_gid;
  if (has(FUSE_SET_ATTR_SIZE)) change.size = static_cast<std::uint64_t>(values.st_size);
  change.atime_now = has(FUSE_SET_ATTR_ATIME_NOW);
  change.mtime_now = has(FUSE_SET_ATTR_MTIME_NOW);
  if (has(FUSE_SET_ATTR_ATIME) && !change.atime_now) change.atime = Timestamp::from(values.st_atim);
  if (has(FUSE_SET_ATTR_MTIME) && !change.mtime_now) change.mtime = Timestamp::from(values.st_mtim);
  // ftruncate(2) sets mtime even if the size stays; the kernel leaves that to us.
  if (change.size && info != nullptr && !change.mtime) change.mtime_now = true;
  // A chown(2) that changes neither owner nor group comes without any field, and still has to
  // clear.
  constexpr int kFields = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID |
                          FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME;
  change.kill_suid = has(FUSE_SET_ATTR_KILL_SUID) || !has(kFields);
  return change;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat* values, int fields,
                fuse_file_info* info) {
  answer(req, "setattr", [&]() -> Result<AttributesReply> {
    const auto handle = info != nullptr ? std::optional(handle_of(info)) : std::nullopt;
    const AttributeChange change = to_change(*values, fields, info);
    if (change.size) keep_core();
    if (change.kill_suid) SATCHEL_TRY(drop_lone_sgid(req, node_of(ino), handle));
    SATCHEL_ASSIGN(const auto stat,
                   view(req).set_attributes(node_of(ino), handle, change, caller_of(req)));
    return AttributesReply{stat};
  });
}

void op_readlink(fuse_req_t req, fuse_ino_t ino) {
  answer(req, "readlink", [&]() -> Result<LinkTargetReply> {
    SATCHEL_ASSIGN(auto target, view(req).read_link(node_of(ino)));
    return LinkTargetReply{std::move(target)};
  });
}

// Changes of names.

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev) {
  answer(req, "mknod", [&]() -> Result<EntryReply> {
    SATCHEL_ASSIGN(const auto parsed, Name::parse(name));
    return entry(view(req).make_node(node_of(parent), parsed, mode, rdev, caller_of(req)));
  });
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  answer(req, "mkdir", [&]() -> Result<EntryReply> {
    SATCHEL_ASSIGN(const auto parsed, Name::parse(name));
    return entry(view(req).make_directory(node_of(parent), parsed, mode, caller_of(req)));
  });
}

void op_symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  answer(req, "symlink", [&]() -> Result<EntryReply> {
    SATCHEL_ASSIGN(const auto parsed, Name::parse(name));
    return entry(view(req).make_symlink(node_of(parent), parsed, target, caller_of(req)));
  });
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char* new_name) {
  answer(req, "link", [&]() -> Result<EntryReply> {
    SATCHEL_ASSIGN(const auto parsed, Name::parse(new_name));
    return entry(view(req).link(node_of(ino), node_of(new_parent), parsed));
  });
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
  answer(req, "unlink", [&]() -> Result<void> {
    SATCHEL_ASSIGN(const auto parsed, Name::parse(name));
    return view(req).unlink(node_of(parent), parsed);
  });
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
  answer(req, "rmdir", [&]() -> Result<void> {
    SATCHEL_ASSIGN(const auto parsed, Name::parse(name));
    return view(req).remove_directory(node_of(parent), parsed);
  });
}

Result<RenameMode> to_rename_mode(unsigned flags) {
  switch (flags) {
    case 0:
      return RenameMode::kReplace;
    case RENAME_NOREPLACE:
      return RenameMode::kNoReplace;
    case RENAME_EXCHANGE:
      return RenameMode::kExchange;
    case RENAME_WHITEOUT:
    // With the two directories locked, the kernel has seen that the new name is free.
    case RENAME_WHITEOUT | RENAME_NOREPLACE:
      return RenameMode::kWhiteout;
    default:
      return Error{.code = EINVAL};
  }
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned flags) {
  answer(req, "rename", [&]() -> Result<void> {
    SATCHEL_ASSIGN(const auto from, Name::parse(name));
    SATCHEL_ASSIGN(const auto to, Name::parse(new_name));
    SATCHEL_ASSIGN(const auto mode, to_rename_mode(flags));
    return view(req).rename(node_of(parent), from, node_of(new_parent), to, mode, caller_of(req));
  });
}

// Files.

void op_create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* info) {
  answer(req, "create", [&]() -> Result<CreatedReply> {
    SATCHEL_ASSIGN(const auto parsed, Name::parse(name));
    SATCHEL_ASSIGN(auto created,
                   view(req).create(node_of(parent), parsed, mode, info->flags, caller_of(req)));
    return CreatedReply{created, *info};
  });
}

void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, fuse_file_info* info) {
  answer(req, "tmpfile", [&]() -> Result<CreatedReply> {
    SATCHEL_ASSIGN(auto created,
                   view(req).create_unnamed(node_of(parent), mode, info->flags, caller_of(req)));
    return CreatedReply{created, *info};
  });
}

Result<void> empty_file(fuse_req_t req, NodeId node, const fuse_file_info& info) {
  AttributeChange change;
  change.size = 0;
  change.mtime_now = true;
  change.kill_suid = must_kill_suid(req, info);
  if (change.kill_suid) SATCHEL_TRY(drop_lone_sgid(req, node, std::nullopt));
  SATCHEL_TRY(view(req).set_attributes(node, std::nullopt, change, caller_of(req)));
  return {};
}

void op_open(fuse_req_t req, fuse_ino_t ino, fuse_file_info* info) {
  answer(req, "open", [&]() -> Result<FileOpenReply> {
    // First, for then nothing of it has to be copied up.
    if ((info->flags & O_TRUNC) != 0) SATCHEL_TRY(empty_file(req, node_of(ino), *info));
    SATCHEL_ASSIGN(const auto open, view(req).open_file(node_of(ino), info->flags & ~O_TRUNC));
    return FileOpenReply{open, *info};
  });
}

void op_read(fuse_req_t req, fuse_ino_t /*ino*/, std::size_t size, off_t offset,
             fuse_file_info* info) {
  answer(req, "read", [&]() -> Result<BytesReply> {
    const std::span<char> buffer = reply_buffer(req, size);
    SATCHEL_ASSIGN(const auto count,
                   view(req).read(handle_of(info), static_cast<std::uint64_t>(offset),
                                  std::as_writable_bytes(buffer)));
    return BytesReply{buffer.data(), count};
  });
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char* bytes, std::size_t size, off_t offset,
              fuse_file_info* info) {
  answer(req, "write", [&]() -> Result<WrittenReply> {
    // Pages of a mapping: where they belong, and by nobody who could lose suid for it.
    const bool is_page = info->writepage != 0;
    const bool append = !is_page && (info->flags & O_APPEND) != 0;
    const bool kills = !is_page && must_kill_suid(req, *info);
    if (kills) SATCHEL_TRY(drop_lone_sgid(req, node_of(ino), handle_of(info)));
    SATCHEL_ASSIGN(const auto count,
                   view(req).write(handle_of(info), static_cast<std::uint64_t>(offset),
                                   as_bytes({bytes, size}), append, kills));
    return WrittenReply{count};
  });
}

void op_release(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* info) {
  answer(req, "release", [&]() -> Result<void> {
    view(req).release(handle_of(info));
    return {};
  });
}

void op_fsync(fuse_req_t req, fuse_ino_t /*ino*/, int data_only, fuse_file_info* info) {
  answer(req, "fsync", [&] { return view(req).sync_file(handle_of(info), data_only != 0); });
}

Result<FallocateMode> to_fallocate_mode(int mode) {
  switch (mode) {
    case 0:
      return FallocateMode::kAllocate;
    case FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kKeepSize;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kPunchHole;
    case FALLOC_FL_ZERO_RANGE:
      return FallocateMode::kZeroRange;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return FallocateMode::kZeroRangeKeepSize;
    default:
      return Error{.code = EOPNOTSUPP};
  }
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                  fuse_file_info* info) {
  answer(req, "fallocate", [&]() -> Result<void> {
    SATCHEL_ASSIGN(const auto parsed, to_fallocate_mode(mode));
    SATCHEL_TRY(kill_suid_of_others(req, node_of(ino), handle_of(info)));
    return view(req).fallocate(handle_of(info), parsed, static_cast<std::uint64_t>(offset),
                               static_cast<std::uint64_t>(length));
  });
}

void op_lseek(fuse_req_t req, fuse_ino_t /*ino*/, off_t offset, int whence, fuse_file_info* info) {
  answer(req, "lseek", [&]() -> Result<OffsetReply> {
    SATCHEL_ASSIGN(const auto found,
                   view(req).seek(handle_of(info), static_cast<std::uint64_t>(offset), whence));
    return OffsetReply{found};
  });
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t /*ino_in*/, off_t offset_in,
                        fuse_file_info* info_in, fuse_ino_t ino_out, off_t offset_out,
                        fuse_file_info* info_out, std::size_t length, int /*flags*/) {
  answer(req, "copy_file_range", [&]() -> Result<WrittenReply> {
    SATCHEL_TRY(kill_suid_of_others(req, node_of(ino_out), handle_of(info_out)));
    SATCHEL_ASSIGN(
        const auto count,
        view(req).copy_range(handle_of(info_in), static_cast<std::uint64_t>(offset_in),
                             handle_of(info_out), static_cast<std::uint64_t>(offset_out), length));
    return WrittenReply{count};
  });
}

// Directories.

// After the first ENOSYS the kernel opens and closes directories without us.
void op_opendir(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* info) {
  answer(req, "opendir", [&]() -> Result<DirectoryOpenReply> {
    if (!served(req).opens_directories) return Error{.code = ENOSYS};
    return DirectoryOpenReply{*info};
  });
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t /*ino*/, int /*data_only*/, fuse_file_info* /*info*/) {
  answer(req, "fsyncdir", [&] { return view(req).sync_names(); });
}

// Extended attributes and the filesystem.

Result<XattrMode> to_xattr_mode(int flags) {
  switch (flags) {
    case 0:
      return XattrMode::kAny;
    case XATTR_CREATE:
      return XattrMode::kCreate;
    case XATTR_REPLACE:
      return XattrMode::kReplace;
    case XATTR_CREATE | XATTR_REPLACE:
      return XattrMode::kNever;
    default:
      return Error{.code = EINVAL};
  }
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char* name, const char* value,
                 std::size_t size, int flags) {
  answer(req, "setxattr", [&]() -> Result<void> {
    SATCHEL_ASSIGN(const auto mode, to_xattr_mode(flags));
    SATCHEL_TRY(view(req).set_xattr(node_of(ino), name, {value, size}, mode));
    if (std::string_view(name) == kAccessAcl) return drop_sgid_after_acl(req, node_of(ino));
    return {};
  });
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char* name, std::size_t size) {
  answer(req, "getxattr", [&]() -> Result<XattrReply> {
    SATCHEL_ASSIGN(auto value, view(req).get_xattr(node_of(ino), name));
    return XattrReply{std::move(value), size};
  });
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, std::size_t size) {
  answer(req, "listxattr", [&]() -> Result<XattrReply> {
    SATCHEL_ASSIGN(auto names, view(req).list_xattrs(node_of(ino)));
    const auto is_trusted = [](const std::string& name) { return name.starts_with(kTrusted); };
    if (std::ranges::any_of(names, is_trusted) && !is_administrator(req)) {
      std::erase_if(names, is_trusted);
    }
    std::string list;
    for (const std::string& name : names) list.append(name).push_back('\0');
    return XattrReply{std::move(list), size};
  });
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char* name) {
  answer(req, "removexattr", [&] { return view(req).remove_xattr(node_of(ino), name); });
}

void op_ioctl(fuse_req_t req, fuse_ino_t /*ino*/, unsigned command, void* /*address*/,
              fuse_file_info* /*info*/, unsigned /*flags*/, const void* in, std::size_t in_bytes,
              std::size_t out_bytes) {
  answer(req, "ioctl", [&]() -> Result<IoctlReply> {
    const Bytes given(static_cast<const std::byte*>(in), in_bytes);
    SATCHEL_ASSIGN(auto bytes, answer_flags_ioctl(command, given, out_bytes));
    return IoctlReply{std::move(bytes)};
  });
}

void op_statfs(fuse_req_t req, fuse_ino_t /*ino*/) {
  answer(req, "statfs", [&]() -> Result<FilesystemReply> {
    SATCHEL_ASSIGN(const auto stat, view(req).filesystem_stat());
    return FilesystemReply{stat};
  });
}

fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops ops{};
  ops.init = op_init;
  ops.destroy = op_destroy;
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.getattr = op_getattr;
  ops.setattr = op_setattr;
  ops.readlink = op_readlink;
  ops.mknod = op_mknod;
  ops.mkdir = op_mkdir;
  ops.unlink = op_unlink;
  ops.rmdir = op_rmdir;
  ops.symlink = op_symlink;
  ops.rename = op_rename;
  ops.link = op_link;
  ops.create = op_create;
  ops.tmpfile = op_tmpfile;
  ops.open = op_open;
  ops.read = op_read;
  ops.write = op_write;
  ops.release = op_release;
  ops.fsync = op_fsync;
  ops.fallocate = op_fallocate;
  ops.lseek = op_lseek;
  ops.copy_file_range = op_copy_file_range;
  ops.opendir = op_opendir;
  ops.readdir = answer_readdir;
  ops.readdirplus = answer_readdirplus;
  ops.fsyncdir = op_fsyncdir;
  ops.setxattr = op_setxattr;
  ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.removexattr = op_removexattr;
  ops.ioctl = op_ioctl;
  ops.statfs = op_statfs;
  // No flush: every write has reached the view when write(2) returns, and after one ENOSYS the
  // kernel does not ask again. No getlk, setlk, flock: the kernel keeps locks itself. No poll: the
  // kernel's default is right.
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& fuse_operations() {
  static const fuse_lowlevel_ops kOperations = make_operations();
  return kOperations;
}

}  // namespace satchel::fs
