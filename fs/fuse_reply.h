// The one path back to the kernel: each request is answered exactly once, here.
#pragma once

#define FUSE_USE_VERSION 317
#include <fuse_lowlevel.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "fs/interruption.h"
#include "fs/listings.h"
#include "fs/view.h"

namespace satchel::fs {

/// An operation by its name; a name that is not in the list does not compile.
class OpName {
 public:
  static constexpr std::array<std::string_view, 36> kAll = {
      "lookup",    "forget",      "getattr",         "setattr",
      "readlink",  "mknod",       "mkdir",           "unlink",
      "rmdir",     "symlink",     "rename",          "link",
      "open",      "read",        "write",           "release",
      "fsync",     "opendir",     "readdir",         "readdirplus",
      "fsyncdir",  "statfs",      "setxattr",        "getxattr",
      "listxattr", "removexattr", "create",          "tmpfile",
      "fallocate", "lseek",       "copy_file_range", "forget_multi",
      "init",      "destroy",     "flush",           "ioctl"};
  consteval OpName(const char* name)
      : index_(find(name)) {}  // NOLINT(google-explicit-constructor): "lookup" is the name
  [[nodiscard]] std::size_t index() const { return index_; }
  [[nodiscard]] std::string_view text() const { return kAll[index_]; }
  /// On bytes that the caller names. Others take long for other reasons, which know it themselves.
  [[nodiscard]] bool may_take_long() const {
    return text() == "write" || text() == "fsync" || text() == "fallocate" ||
           text() == "copy_file_range" || text() == "ioctl";
  }

 private:
  static consteval std::size_t find(std::string_view name) {
    for (std::size_t i = 0; i < kAll.size(); ++i) {
      if (kAll[i] == name) return i;
    }
    throw "not an operation";  // NOLINT: consteval, so this is a compile error
  }
  std::size_t index_;
};

/// How many requests came, by operation. Thread-safe.
class RequestCounts {
 public:
  void count(OpName op) { counts_[op.index()].fetch_add(1, std::memory_order_relaxed); }
  /// Those that came at all.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> list() const;

 private:
  std::array<std::atomic<std::uint64_t>, OpName::kAll.size()> counts_{};
};

/// What the handlers of one mount share; the session's user data.
struct ServedView {
  View& view;
  const Log& log;
  bool is_exported = false;
  /// Of every node. Node ids start anew with each mount that is not exported, so a handle of an
  /// earlier mount must not fit.
  std::uint32_t generation = 0;
  Listings listings{view};
  RequestCounts requests{};
  bool opens_directories = false;                ///< the kernel cannot do without OPENDIR
  std::atomic<bool> is_ready = false;            ///< INIT was answered
  std::atomic<bool> takes_backings = false;      ///< the kernel can read and write by itself
  std::atomic<std::uint64_t> ring_requests = 0;  ///< came by io_uring
  bool lends_cores = false;                      ///< see fs/core_lending.h
};

ServedView& served(fuse_req_t req);

// What a handler can answer with. send() replies and returns what libfuse said of it.

/// Success without a value.
struct Done {
  int send(fuse_req_t req) const { return fuse_reply_err(req, 0); }
};
/// For forget: the kernel expects nothing.
struct NoReply {
  int send(fuse_req_t req) const;
};
/// A name's node, or (lookup only) that there is none: the kernel remembers both.
struct EntryReply {
  std::optional<NodeReply> found;
  int send(fuse_req_t req) const;
  void undo(View& view) const;
};
struct AttributesReply {
  NodeStat stat;
  int send(fuse_req_t req) const;
};
struct LinkTargetReply {
  std::string target;
  int send(fuse_req_t req) const { return fuse_reply_readlink(req, target.c_str()); }
};
struct FileOpenReply {
  OpenReply open;
  fuse_file_info info;
  int send(fuse_req_t req);
  void undo(View& view) const { view.release(open.handle); }
};
struct CreatedReply {
  View::Created created;
  fuse_file_info info;
  int send(fuse_req_t req);
  void undo(View& view) const;
};
struct DirectoryOpenReply {
  fuse_file_info info;
  int send(fuse_req_t req);
};
/// `size` bytes at `bytes`, which stay valid until they are sent.
struct BytesReply {
  const char* bytes = nullptr;
  std::size_t size = 0;
  int send(fuse_req_t req) const { return fuse_reply_buf(req, bytes, size); }
};
/// Entries that hold look-ups, which are given back if the reply does not arrive.
struct DirectoryPlusReply {
  BytesReply entries;
  std::vector<NodeId> nodes;
  int send(fuse_req_t req) const { return entries.send(req); }
  void undo(View& view) const;
};
struct WrittenReply {
  std::size_t size = 0;
  int send(fuse_req_t req) const { return fuse_reply_write(req, size); }
};
struct FilesystemReply {
  FilesystemStat stat;
  int send(fuse_req_t req) const;
};
/// An xattr's value or list, or its size if that was asked for.
struct XattrReply {
  std::string value;
  std::size_t size_asked = 0;  ///< 0: only the size is wanted
  int send(fuse_req_t req) const;
};
/// What an ioctl gives back besides 0.
struct IoctlReply {
  std::string bytes;
  int send(fuse_req_t req) const { return fuse_reply_ioctl(req, 0, bytes.data(), bytes.size()); }
};
struct OffsetReply {
  std::uint64_t offset = 0;
  int send(fuse_req_t req) const { return fuse_reply_lseek(req, static_cast<off_t>(offset)); }
};

/// A buffer that fuse_reply_buf() need not copy: the ring's own if the request came by io_uring,
/// else one per thread. Until the request is answered.
std::span<char> reply_buffer(fuse_req_t req, std::size_t size);
struct stat to_stat(const NodeStat& from);
fuse_entry_param to_entry_param(fuse_req_t req, const NodeReply& node);

namespace detail {
void start(fuse_req_t req, OpName op);
void fail(fuse_req_t req, OpName op, const Error& error);
/// Of a fuse_req_t: whoever asked has been signalled.
bool is_interrupted(void* context);

/// At the end of a session libfuse cancels its threads where they stand. A handler has to come to
/// its own end: cancelled in between, it would leave locks held, or end the process in a
/// destructor.
class UncancelledScope {
 public:
  UncancelledScope();
  ~UncancelledScope();
  UncancelledScope(const UncancelledScope&) = delete;
  UncancelledScope& operator=(const UncancelledScope&) = delete;

 private:
  int before_ = 0;
};

template <typename Reply>
struct ReplyOf {
  using Type = Reply;
};
template <>
struct ReplyOf<void> {
  using Type = Done;
};

/// Runs a handler; what it throws becomes an Error.
template <typename Function>
auto run(Function& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return Error{.code = ENOMEM};
  } catch (const std::exception& exception) {
    return Error{.code = EIO, .sat = Sat::kInternal, .message = exception.what()};
  }
}
}  // namespace detail

/// Answers `req` with what `function` returns: a Result of one of the replies above, or of void.
/// Locks that the handler took are gone before the reply. If the reply finds that nobody waits for
/// it any more (ENOENT), what it gave out is taken back.
template <typename Function>
void answer(fuse_req_t req, OpName op, Function&& function) {
  ServedView& mount = served(req);
  const detail::UncancelledScope uncancelled;
  detail::start(req, op);
  auto result = [&] {
    const InterruptionScope scope(&detail::is_interrupted, req);
    return detail::run(function);
  }();
  if (!result) return detail::fail(req, op, result.error());
  using Value = typename std::remove_cvref_t<decltype(result)>::value_type;
  if constexpr (std::is_void_v<Value>) {
    (void)Done{}.send(req);  // nothing was given out, so a lost reply needs nothing
  } else if constexpr (requires { result->undo(mount.view); }) {
    if (result->send(req) == -ENOENT) result->undo(mount.view);
  } else {
    (void)result->send(req);  // as above
  }
}

}  // namespace satchel::fs
