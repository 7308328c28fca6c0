#include "fs/fuse_reply.h"

#include <pthread.h>

#include <algorithm>

#include "fs/core_lending.h"

namespace satchel::fs {
namespace {

// The view tells the kernel of every change that the kernel did not make itself.
constexpr double kRememberSeconds = 86'400;
constexpr blksize_t kBlockBytes = 4096;

timespec to_timespec(const Timestamp& time) {
  return time.to_timespec();
}

/// For how long the kernel need not ask again.
double remember_seconds(const NodeStat& stat) {
  return stat.may_change_unseen ? 0 : kRememberSeconds;
}

/// The kernel refuses a backing together with keep_cache.
void set_bytes(fuse_file_info& info, const OpenReply& open) {
  info.keep_cache = open.keep_cache ? 1 : 0;
  if (open.backing) info.backing_id = static_cast<std::int32_t>(*open.backing);
}

}  // namespace

std::vector<std::pair<std::string_view, std::uint64_t>> RequestCounts::list() const {
  std::vector<std::pair<std::string_view, std::uint64_t>> result;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::uint64_t count = counts_[i].load(std::memory_order_relaxed);
    if (count > 0) result.emplace_back(OpName::kAll[i], count);
  }
  return result;
}

ServedView& served(fuse_req_t req) {
  return *static_cast<ServedView*>(fuse_req_userdata(req));
}

struct stat to_stat(const NodeStat& from) {
  struct stat to {};
  to.st_ino = from.ino;
  to.st_mode = from.mode;
  to.st_nlink = from.nlink;
  to.st_uid = from.uid;
  to.st_gid = from.gid;
  to.st_rdev = from.rdev;
  to.st_size = static_cast<off_t>(from.size);
  to.st_blksize = kBlockBytes;
  to.st_blocks = static_cast<blkcnt_t>(from.blocks);
  to.st_atim = to_timespec(from.atime);
  to.st_mtim = to_timespec(from.mtime);
  to.st_ctim = to_timespec(from.ctime);
  return to;
}

std::span<char> reply_buffer(fuse_req_t req, std::size_t size) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  char* payload = nullptr;
  std::size_t payload_bytes = 0;
  if (fuse_req_is_uring(req) && fuse_req_get_payload(req, &payload, &payload_bytes, nullptr) == 0) {
    return {payload, std::min(size, payload_bytes)};
  }
#else
  (void)req;  // only the ring has buffers of requests
#endif
  thread_local std::vector<char> buffer;
  if (buffer.size() < size) buffer.resize(size);
  return {buffer.data(), size};
}

fuse_entry_param to_entry_param(fuse_req_t req, const NodeReply& node) {
  fuse_entry_param entry{};
  entry.ino = static_cast<fuse_ino_t>(node.node);
  entry.generation = served(req).generation;
  entry.attr = to_stat(node.stat);
  entry.attr_timeout = remember_seconds(node.stat);
  entry.entry_timeout = kRememberSeconds;
  return entry;
}

int NoReply::send(fuse_req_t req) const {
  fuse_reply_none(req);
  return 0;
}

int EntryReply::send(fuse_req_t req) const {
  if (found) {
    const fuse_entry_param entry = to_entry_param(req, *found);
    return fuse_reply_entry(req, &entry);
  }
  fuse_entry_param nothing{};
  nothing.entry_timeout = kRememberSeconds;
  return fuse_reply_entry(req, &nothing);
}

void EntryReply::undo(View& view) const {
  if (found) view.forget(found->node, 1);
}

int AttributesReply::send(fuse_req_t req) const {
  const struct stat attributes = to_stat(stat);
  return fuse_reply_attr(req, &attributes, remember_seconds(stat));
}

int FileOpenReply::send(fuse_req_t req) {
  info.fh = static_cast<std::uint64_t>(open.handle);
  set_bytes(info, open);
  return fuse_reply_open(req, &info);
}

int CreatedReply::send(fuse_req_t req) {
  const fuse_entry_param entry = to_entry_param(req, created.node);
  info.fh = static_cast<std::uint64_t>(created.open.handle);
  set_bytes(info, created.open);
  return fuse_reply_create(req, &entry, &info);
}

void CreatedReply::undo(View& view) const {
  view.release(created.open.handle);
  view.forget(created.node.node, 1);
}

int DirectoryOpenReply::send(fuse_req_t req) {
  info.cache_readdir = 1;
  info.keep_cache = 1;
  return fuse_reply_open(req, &info);
}

void DirectoryPlusReply::undo(View& view) const {
  for (const NodeId node : nodes) view.forget(node, 1);
}

int FilesystemReply::send(fuse_req_t req) const {
  struct statvfs to {};
  to.f_bsize = stat.block_bytes;
  to.f_frsize = stat.block_bytes;
  to.f_blocks = stat.blocks;
  to.f_bfree = stat.blocks_free;
  to.f_bavail = stat.blocks_available;
  to.f_files = stat.files;
  to.f_ffree = stat.files_free;
  to.f_favail = stat.files_free;
  to.f_namemax = Name::kBytesMax;
  return fuse_reply_statfs(req, &to);
}

int XattrReply::send(fuse_req_t req) const {
  if (size_asked == 0) return fuse_reply_xattr(req, value.size());
  if (value.size() > size_asked) return fuse_reply_err(req, ERANGE);
  return fuse_reply_buf(req, value.data(), value.size());
}

namespace detail {

void start(fuse_req_t req, OpName op) {
  ServedView& mount = served(req);
  mount.requests.count(op);
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  if (!fuse_req_is_uring(req)) return;
  mount.ring_requests.fetch_add(1, std::memory_order_relaxed);
  if (!mount.lends_cores) return;
  if (op.may_take_long()) {
    keep_core();
  } else {
    lend_core();
  }
#endif
}

void fail(fuse_req_t req, OpName op, const Error& error) {
  const Log& log = served(req).log;
  switch (error.code) {
    case EIO:
    case EBADMSG:
    case EUCLEAN:
      log.error("request_failed op={} error=\"{}\"", op.text(), to_text(error));
      break;
    case ENETUNREACH:
    case ETIMEDOUT:
    case ENOSPC:
      log.warn("request_failed op={} error=\"{}\"", op.text(), to_text(error));
      break;
    default:
      log.debug("request_refused op={} error=\"{}\"", op.text(), to_text(error));
  }
  (void)fuse_reply_err(req, error.code);  // a caller that is gone needs no answer
}

UncancelledScope::UncancelledScope() {
  (void)::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_);  // fails for bad arguments only
}

UncancelledScope::~UncancelledScope() {
  (void)::pthread_setcancelstate(before_, nullptr);  // as above
}

bool is_interrupted(void* context) {
  const auto req = static_cast<fuse_req_t>(context);
  if (fuse_req_interrupted(req) != 0) return true;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  // libfuse does not match interrupts with requests that came by the ring.
  if (fuse_req_is_uring(req)) return is_dying(fuse_req_ctx(req)->pid);
#endif
  return false;
}

}  // namespace detail

}  // namespace satchel::fs
