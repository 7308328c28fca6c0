// The view: the one tree that a mount shows, base plus upper. Knows no FUSE.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "redirector/router.h"
#include "store/live_groups.h"
#include "store/live_upper.h"
#include "store/repository_tree_store.h"

namespace satchel::fs {

/// Names an inode to the kernel while it knows it. 1 is the root. Never reused while mounted.
enum class NodeId : std::uint64_t {};
inline constexpr NodeId kRootNode{1};
/// Names an open file or directory.
enum class HandleId : std::uint64_t {};

/// Who asks.
struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  mode_t umask = 0;
};

/// struct stat's fields that a view has. `ino` is the same over remount, restart and sync.
struct NodeStat {
  std::uint64_t ino = 0;
  mode_t mode = 0;  ///< with the S_IFMT bits
  std::uint32_t nlink = 1;
  uid_t uid = 0;
  gid_t gid = 0;
  dev_t rdev = 0;
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;  ///< of 512 bytes; true for sparse upper files
  Timestamp atime, mtime, ctime;
  bool may_change_unseen = false;  ///< not to be remembered
};
/// A found or new name: the kernel holds one more look-up of `node` afterwards, to be given back by
/// forget().
struct NodeReply {
  NodeId node{};
  NodeStat stat;
};
/// What forget() gives back of one node.
struct Lookups {
  NodeId node{};
  std::uint64_t count = 0;
};
/// Names a file that the kernel reads and writes by itself (passthrough). Never 0.
enum class BackingId : std::int32_t {};

struct OpenReply {
  HandleId handle{};
  bool keep_cache = false;           ///< pages that the kernel has of this inode are still right
  std::optional<BackingId> backing;  ///< the kernel reads and writes this file by itself
};

/// Which fields setattr changes.
struct AttributeChange {
  std::optional<mode_t> mode;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<Timestamp> atime, mtime;
  bool atime_now = false, mtime_now = false;
  bool kill_suid = false;  ///< also clear suid and sgid as write(2) and chown(2) do
};

enum class RenameMode : std::uint8_t { kReplace, kNoReplace, kExchange, kWhiteout };
/// kNever: both of setxattr(2)'s flags at once, so that it fails either way.
enum class XattrMode : std::uint8_t { kAny, kCreate, kReplace, kNever };
enum class FallocateMode : std::uint8_t {
  kAllocate,
  kKeepSize,
  kPunchHole,
  kZeroRange,
  kZeroRangeKeepSize
};

struct FilesystemStat {
  std::uint64_t blocks = 0, blocks_free = 0, blocks_available = 0, files = 0,
                files_free = 0;  ///< of the filesystem that holds the store
  std::uint32_t block_bytes = 4096;
};

/// Tells the kernel that what it remembers is no longer true. Called without any lock of the view
/// held.
class KernelNotifier {
 public:
  virtual ~KernelNotifier() = default;
  virtual void forget_entry(NodeId parent, const Name& name) = 0;
  virtual void forget_inode(NodeId node) = 0;  ///< attributes and pages
  /// Done when it returns.
  virtual void forget_attributes(NodeId node) = 0;
};

/// Lets the kernel read and write files by itself. Thread-safe.
class BackingRegistry {
 public:
  virtual ~BackingRegistry() = default;
  /// `fd` is needed during the call only; opened with O_PATH will do. Errors: EPERM (not root),
  /// ELOOP (its filesystem stands on another one), EOPNOTSUPP, ENOMEM.
  virtual Result<BackingId> add(int fd) = 0;
  /// What is open goes on.
  virtual void remove(BackingId id) = 0;
};

/// Where bytes of base files come from. Thread-safe. See fs/content_fetch.h.
class ContentSource {
 public:
  virtual ~ContentSource() = default;
  /// Bytes [offset, offset + out.size()) or up to the end. Errors: ENETUNREACH, ETIMEDOUT, EBADMSG,
  /// EIO.
  virtual Result<std::size_t> read(const store::ContentId& id, std::uint64_t offset,
                                   std::span<std::byte> out) = 0;
  /// A file with the whole content and nothing else, if there is one on this device. Errors: EIO.
  virtual Result<std::shared_ptr<const UniqueFd>> find_file(const store::ContentId& id) = 0;
  /// Writes the whole content into `fd`, holes kept, by reflink or copy.
  virtual Result<void> copy_to(const store::ContentId& id, int fd) = 0;
  /// Bytes of a file that has just been committed become content of this device: takes `name` in
  /// `directory_fd` over.
  virtual Result<void> adopt(const store::ContentId& id, int directory_fd, const char* name) = 0;
};

class ChangeWatch;
class NodeIndex;

/// What a view works with; all borrowed.
struct ViewContext {
  store::TreeStore& trees;
  ContentSource& contents;
  const redirector::Router& router;
  const Clock& clock;
  Random& random;
  const Log& log;
  NodeIndex* nodes = nullptr;  ///< of an exported mount: node ids outlast forget() and restart
  /// Base files of this size and more are copied block by block.
  std::uint64_t block_copy_bytes = 64U << 20U;
};

class Upper;
struct ViewState;

/// Base tree plus upper. All names are resolved against the base in `trees` and the rows of
/// `upper`; every change is one batch in the upper. Without an upper the view is read-only and
/// changes are EROFS.
///
/// Permission is the kernel's to check (default_permissions); the view sets owners, modes, times
/// and link counts as ext4 does, and enforces sticky-independent rules: ENOTEMPTY, EISDIR, ENOTDIR,
/// EEXIST, EXDEV never, ENAMETOOLONG, EMLINK at 65,000 names, EPERM where a rule says `deny`.
/// Thread-safe. Errors besides: ENOENT, ESTALE (node unknown), those of the tree store and the
/// content source.
class View final : public store::LiveUpper {
 public:
  static Result<std::unique_ptr<View>> open(const ViewContext& context, const store::RootId& base,
                                            std::unique_ptr<Upper> upper);
  ~View() override;
  void set_notifier(KernelNotifier* notifier);
  /// From now on the kernel reads and writes by itself what it can; null: no longer.
  void set_backings(BackingRegistry* registry);
  /// Answers what user.satchel.KEY of a path says; empty: ENODATA. Called without any lock held.
  using Explainer = std::function<Result<std::string>(const RelativePath& path,
                                                      const NodeStat& stat, std::string_view key)>;
  /// To be called before the view is mounted. Without it there are no such attributes; they are
  /// never listed, nor can they be set.
  void set_explainer(Explainer explainer);

  Result<NodeReply> lookup(NodeId parent, const Name& name);
  /// An exported mount's node by an id that was given out before, even before a restart. Errors:
  /// ESTALE (the file is gone).
  Result<NodeReply> find_again(NodeId node);
  /// The directory that the directory `node` stands in; the root's is itself. Errors: as
  /// find_again(), ENOTDIR.
  Result<NodeReply> find_parent(NodeId node);
  void forget(NodeId node, std::uint64_t lookups);
  void forget(std::span<const Lookups> nodes);
  Result<NodeStat> get_attributes(NodeId node);
  Result<NodeStat> set_attributes(NodeId node, std::optional<HandleId> handle,
                                  const AttributeChange& change, const Caller& caller);
  Result<std::string> read_link(NodeId node);

  Result<NodeReply> make_node(NodeId parent, const Name& name, mode_t mode, dev_t rdev,
                              const Caller& caller);
  Result<NodeReply> make_directory(NodeId parent, const Name& name, mode_t mode,
                                   const Caller& caller);
  Result<NodeReply> make_symlink(NodeId parent, const Name& name, std::string_view target,
                                 const Caller& caller);
  Result<NodeReply> link(NodeId node, NodeId new_parent, const Name& new_name);
  Result<void> unlink(NodeId parent, const Name& name);
  Result<void> remove_directory(NodeId parent, const Name& name);
  Result<void> rename(NodeId parent, const Name& name, NodeId new_parent, const Name& new_name,
                      RenameMode mode, const Caller& caller);

  struct Created {
    NodeReply node;
    OpenReply open;
  };
  Result<Created> create(NodeId parent, const Name& name, mode_t mode, int flags,
                         const Caller& caller);
  Result<Created> create_unnamed(NodeId parent, mode_t mode, int flags,
                                 const Caller& caller);  ///< O_TMPFILE
  /// Errors besides: ESTALE (the kernel still uses other bytes for `node`, whose name has a new
  /// node by now: to be looked up again).
  Result<OpenReply> open_file(NodeId node, int flags);
  Result<std::size_t> read(HandleId handle, std::uint64_t offset, std::span<std::byte> out);
  /// `append`: at the end, whatever `offset` says. `kill_suid`: clear suid and sgid.
  Result<std::size_t> write(HandleId handle, std::uint64_t offset, Bytes bytes, bool append,
                            bool kill_suid);
  /// The file's bytes, its metadata and every name it had are on the medium.
  Result<void> sync_file(HandleId handle, bool data_only);
  Result<void> fallocate(HandleId handle, FallocateMode mode, std::uint64_t offset,
                         std::uint64_t length);
  Result<std::uint64_t> seek(HandleId handle, std::uint64_t offset,
                             int whence);  ///< SEEK_DATA, SEEK_HOLE
  Result<std::size_t> copy_range(HandleId from, std::uint64_t from_offset, HandleId to,
                                 std::uint64_t to_offset, std::size_t length);
  void release(HandleId handle);

  Result<HandleId> open_directory(NodeId node);
  struct DirectoryItem {
    std::string name;  ///< may be "." or ".."
    std::uint64_t ino = 0;
    mode_t type = 0;  ///< S_IFMT bits
    std::uint64_t next_offset =
        0;  ///< where to go on after this item; stable while the name exists
  };
  /// Calls `visit` from `offset` on (0: start; "." and ".." included) until it returns false.
  Result<void> read_directory(HandleId handle, std::uint64_t offset,
                              const std::function<bool(const DirectoryItem&)>& visit);
  /// What read_directory_plus() calls, with the view's lock of names held: none of it may call the
  /// view.
  struct DirectoryPlusVisitor {
    /// False: the reader has no room for this item.
    std::function<bool(const DirectoryItem& item)> has_room;
    /// The item with what lookup() says of its name; null for "." and "..".
    std::function<void(const DirectoryItem& item, const NodeReply* found)> visit;
  };
  /// Calls `visitor` from `offset` on until it has no room. After an error, which may come between
  /// two items, the visited ones count.
  Result<void> read_directory_plus(HandleId handle, std::uint64_t offset,
                                   const DirectoryPlusVisitor& visitor);
  /// Every name that was made, changed or removed so far is on the medium.
  Result<void> sync_names();
  void release_directory(HandleId handle);

  Result<std::string> get_xattr(NodeId node, const std::string& name);
  Result<std::vector<std::string>> list_xattrs(NodeId node);
  Result<void> set_xattr(NodeId node, const std::string& name, std::string_view value,
                         XattrMode mode);
  Result<void> remove_xattr(NodeId node, const std::string& name);

  /// Takes away all that rules discard: at the end, and at the start, where a crash left some,
  /// before anybody else uses the view.
  Result<void> empty_scratch();
  /// After rules have changed: what they no longer discard is in the store from now on.
  Result<void> keep_what_left_scratch();

  Result<FilesystemStat> filesystem_stat();
  /// Everything acknowledged so far is on the medium.
  Result<void> sync_all();

  /// Members of a set below `directory`, and that itself, that move or may; see fs/view_groups.h.
  using PathFilter = std::function<bool(const RelativePath&, store::Kind)>;
  Result<std::vector<store::Unrest>> find_unrest(const RelativePath& directory,
                                                 const PathFilter& is_member,
                                                 const store::QuietTerms& terms);

  /// Sees what is made, changed and removed from now on, until the pointer goes.
  std::shared_ptr<ChangeWatch> watch_changes();

  struct Counts {
    std::uint64_t dirty_files = 0;  ///< changed files that would travel
    std::uint64_t nodes = 0;        ///< inodes the kernel knows
    std::uint64_t handles = 0;
  };
  Result<Counts> counts();
  [[nodiscard]] store::RootId base_root() const;
  [[nodiscard]] store::VersionNumber base_version() const;

  // store::LiveUpper
  Result<store::SealedUpper> seal() override;
  Result<UniqueFd> read(store::UpperId id) override;
  Result<bool> is_unchanged_since(store::UpperId id, store::Generation generation) override;
  Result<void> switch_base(const store::BaseSwitch& change) override;

 private:
  explicit View(std::unique_ptr<ViewState> state);
  Result<void> sync_opened(HandleId opened, int flags);
  std::unique_ptr<ViewState> state_;
};

}  // namespace satchel::fs
