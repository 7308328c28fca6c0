// What the parts of the view share. Internal to fs: everybody else includes fs/view.h.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fs/base_tree.h"
#include "fs/change_watch.h"
#include "fs/copy_completer.h"
#include "fs/entry_row.h"
#include "fs/handle_table.h"
#include "fs/inode_table.h"
#include "fs/open_modes.h"
#include "fs/switch_plan.h"
#include "fs/upper.h"
#include "fs/view.h"

namespace satchel::fs {

class Change;

/// As on ext4.
inline constexpr std::uint32_t kNamesMax = 65000;
inline constexpr auto kOffsetMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());

/// Errors: EINVAL for what is none of the kinds.
Result<store::Kind> known_kind(mode_t mode);
Error errno_answer(int code);
/// SEEK_DATA or SEEK_HOLE in a file. Errors: ENXIO and others of lseek(2).
Result<std::uint64_t> seek_file(int fd, std::uint64_t offset, int whence);

/// What a name in a directory is: a row of the upper, or an entry of the base.
struct Child {
  store::Kind kind = store::Kind::kFile;
  UpperId upper = 0;
  std::optional<store::LocatedEntry> base;  ///< if `upper` is 0
};

/// Ends copying by who is first: others wait and find it done.
class CopyUpQueue {
 public:
  /// Waits until no one else copies `node`. Errors, and then leave() is not to be called: EINTR
  /// (see fs/interruption.h).
  Result<void> enter(NodeId node);
  void leave(NodeId node);

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  std::set<NodeId> copying_;
};

/// The state of one view and the steps that several operations share.
///
/// Locks, in this order (docs/locks.md): an inode's io_mutex may be taken under `names`, never the
/// other way round; then the tables' own mutexes; then live_mutex. `names` shared: names and rows
/// stay as they are. Exclusive: they change, by Change alone. Nothing is fetched from contents, and
/// the kernel is not notified, with any of them held.
struct ViewState {
  ViewState(const ViewContext& context_in, std::shared_ptr<const BaseTree> base_in,
            std::unique_ptr<Upper> upper_in);
  ~ViewState();

  ViewContext context;
  std::unique_ptr<Upper> upper;  ///< null: read-only
  mutable std::shared_mutex names;
  InodeTable table;
  HandleTable handles;
  OpenModes modes;
  CopyUpQueue copy_ups;
  ChangeWatches watches;
  std::atomic<KernelNotifier*> notifier = nullptr;
  View::Explainer explainer;  ///< set once, before anybody asks

  // Guarded by `names`.
  std::shared_ptr<const BaseTree> base;
  std::uint32_t epoch = 1;
  SealedPlaces sealed;  ///< of the last seal; ∝ change
  /// Every directory in which a scratch file has a name, and some in which one had.
  std::unordered_set<UpperId> scratch_directories;

  // Nodes of hot inodes, which stay though the kernel forgets them, and in which order those are to
  // be tried whose last writer was closed.
  std::mutex hot_mutex;
  std::unordered_map<UpperId, NodeRef> hot;
  std::deque<UpperId> closed;

  // When base files were read last: kept while the kernel knows them.
  std::mutex atimes_mutex;
  std::unordered_map<NodeId, Timestamp> atimes;
  // Names of linked base files, as of one epoch.
  std::mutex link_counts_mutex;
  std::uint32_t link_counts_epoch = 0;
  std::unordered_map<store::FileId, std::uint32_t> link_counts;

  // Finding (view_resolve.cpp). `names` is held, shared or exclusive.
  Result<NodeRef> require(NodeId id);
  /// Errors: ENOTDIR; ESTALE if a base switch has taken it away.
  Result<NodeRef> require_directory(NodeId id);
  /// The base directory that `directory` is merged with, if any.
  Result<std::optional<BaseDirectory>> base_of(Node& directory);
  /// The base entry that a node without inode is. Errors: ESTALE.
  Result<store::LocatedEntry> base_entry(Node& node);
  /// The content of a file without inode. Errors: ESTALE.
  Result<store::ContentId> base_content(Node& file);
  Result<std::optional<store::LocatedEntry>> find_in_base(Node& directory, const Name& name);
  Result<std::optional<Child>> find_child(Node& directory, const Name& name);
  Result<NodeRef> node_of(Node& directory, const Name& name, const Child& child);
  NodeRef node_of_base(Node& directory, const Name& name, const store::LocatedEntry& entry);
  Result<NodeRef> node_of_upper(Node& directory, const Name& name, UpperId id);
  /// The node of a directory that has a row, and those above it.
  Result<NodeRef> node_of_directory(UpperId id);
  /// The node that had this id (view_export.cpp). Errors: ESTALE.
  Result<NodeRef> recall(NodeId id);
  /// The directory of the view that shows the base directory `path`; empty if none does.
  Result<NodeRef> show_base_directory(const RelativePath& path);
  /// How many names of an untouched linked base file the view shows.
  Result<std::uint32_t> visible_links(const store::FileId& file_id);
  Result<bool> is_empty(Node& directory);
  static RelativePath path_of(const Node& directory);
  /// A path that leads to any node, as it was seen last. Errors: ESTALE.
  Result<RelativePath> seen_path_of(const Node& node);
  /// Where `node`, or what will be made there, is in the base.
  Result<std::optional<RelativePath>> base_path_of(const Node& directory);

  // Attributes (view_attributes.cpp).
  Result<NodeStat> stat_of(Node& node);
  Result<NodeStat> stat_of_base(const Node& node, const store::LocatedEntry& located);
  NodeStat stat_of_inode(Inode& inode) const;
  NodeStat stat_of_entry(NodeId id, const store::LocatedEntry& located, std::uint32_t names);
  /// `located`: what a node of the base was found as, so that it is not looked for again.
  Result<NodeReply> reply_with(NodeRef node, const store::LocatedEntry* located = nullptr);
  void touch_atime(Node& node, Inode* inode);
  void forget_atime(NodeId id);

  // Changing (view_names.cpp …). `names` is held exclusively.
  Result<void> require_writable() const;
  /// What rules make of `name` in `directory`. `names` is held, shared or exclusive.
  policies::Action action_of(Node& directory, const Name& name, store::Kind kind);
  /// EPERM if that is `deny`.
  Result<void> check_rules(Node& directory, const Name& name, store::Kind kind);
  Result<InodeRow> new_row(Node& parent, store::Kind kind, mode_t mode, const Caller& caller,
                           const Timestamp& now);
  struct Added {
    NodeRef node;
    /// Its own bytes, open for reading alone; null if it has none.
    std::shared_ptr<const UniqueFd> file;
  };
  /// Makes `name` with `row` in `parent`. Errors: EEXIST.
  Result<Added> add_child(Node& parent, const Name& name, InodeRow row);
  Result<NodeReply> make_child(NodeId parent, const Name& name, store::Kind kind, mode_t mode,
                               const Caller& caller,
                               const std::function<void(InodeRow&)>& complete);
  Result<void> remove_child(Change& change, Node& directory, const Name& name, Node& child);
  /// To be asked before what is there changes: EPERM if a rule says `deny` of it.
  Result<void> check_change(Node& node);

  // What rules discard (view_scratch.cpp). `names` is held exclusively, but for discards().
  [[nodiscard]] bool discards(const RelativePath& path, store::Kind kind) const;
  /// Of `name` in `directory`, for new bytes.
  [[nodiscard]] bool discards(Node& directory, const Name& name);
  /// The bytes of `inode` are in upper/ from now on, for descriptors that are open too.
  Result<void> keep_bytes(Inode& inode);
  /// The same for a row, as a part of `change`; nothing if it is no scratch file.
  Result<void> leave_scratch(Change& change, UpperId id);
  /// The same for each file below a directory, which is or will be `path`, that rules do not
  /// discard.
  Result<void> leave_scratch_below(Change& change, UpperId directory, const RelativePath& path);
  Result<void> leave_scratch_in(Change& change, UpperId directory, const RelativePath& path);
  /// What is moved or linked there leaves scratch if rules do not discard it there. Rules may not
  /// discard by one name what is kept by another.
  enum class OtherNames : std::uint8_t { kNone, kSome };
  Result<void> place_moved(Change& change, Node& moved, Node& directory, const Name& name,
                           OtherNames others);

  // Bytes (view_files.cpp, copy_up.cpp). `names` is not held.
  Result<std::shared_ptr<const UniqueFd>> bytes_of(Inode& inode) const;
  enum class CopyUp : std::uint8_t { kContent, kNothing };
  /// The inode of `node` with bytes of its own. If it has none yet, they are a copy of its content
  /// or, if nothing of that is going to be left, an empty file.
  Result<std::shared_ptr<Inode>> own_bytes(Node& asked, CopyUp what);
  Result<void> truncate(Node& asked, std::uint64_t size, bool kill_suid);
  struct Bytes {
    std::shared_ptr<Inode> inode;
    std::shared_ptr<const UniqueFd> fd;
  };
  /// What `handle` writes to: copied up at its first write.
  Result<Bytes> writable_bytes(FileHandle& handle);
  /// What `handle` reads from: own bytes, or a content of the base.
  struct Readable {
    Bytes own;  ///< empty: `content` it is
    store::ContentId content;
  };
  Result<Readable> readable_bytes(FileHandle& handle);
  Result<std::size_t> read_range(const Readable& readable, std::uint64_t offset,
                                 std::span<std::byte> out);
  /// Opens the node `id`. `is_known`: the kernel has been told of it, and remembers its attributes.
  Result<OpenReply> open_node(NodeId id, int flags, bool is_known = true);
  /// Opens a file that has just been made. `names` is held exclusively since.
  Result<OpenReply> open_added(const Added& added, int flags);
  /// A writer closes `handle`: if the file was emptied and written anew, its old bytes are gone, so
  /// the new ones go to the medium.
  void keep_rewritten(FileHandle& handle);
  /// The names of the changed file `id` lead to a new node: the kernel uses other bytes for this
  /// one.
  Result<void> replace_node(NodeId id);
  Result<void> kill_privileges(Node& node, bool kill_suid);
  /// Marks that bytes change now. live_mutex is held.
  void note_write(Inode& inode, std::uint64_t end, const Timestamp& now) const;
  void note_blocks(Inode& inode) const;

  // Bytes of changed files, wherever they are (view_bytes.cpp): in upper/, in scratch memory, or
  // sealed where that was full. Whoever changes them has the turn.
  /// No scratch file's, and no block copy's, so that its descriptor is all there is.
  [[nodiscard]] bool is_plain(const Bytes& own) const;
  /// Takes the io_mutex of a scratch file: its bytes may move.
  Result<std::size_t> read_bytes(const Bytes& own, std::uint64_t offset, std::span<std::byte> out);
  Result<std::uint64_t> seek_bytes(const Bytes& own, std::uint64_t offset, int whence) const;
  /// As much as goes; an error only if that is nothing.
  Result<std::size_t> write_bytes(const Bytes& own, std::uint64_t offset,
                                  std::span<const std::byte> bytes);
  Result<void> resize_bytes(const Bytes& own, std::uint64_t size) const;
  static bool grows(FallocateMode mode);
  static bool clears(FallocateMode mode);
  Result<void> allocate_bytes(const Bytes& own, FallocateMode mode, std::uint64_t offset,
                              std::uint64_t length) const;
  /// Both are plain.
  static Result<std::size_t> copy_bytes(const Bytes& from, std::uint64_t from_offset,
                                        const Bytes& to, std::uint64_t to_offset,
                                        std::size_t length);

  // Block copies (view_blocks.cpp): files in upper/ that show a content of the base wherever they
  // have no bytes of their own yet. No lock is held, but where it says so.
  /// The right to change a file's bytes.
  struct WriteTurn {
    std::unique_lock<std::mutex> io;
    std::shared_ptr<BlockMap> map;  ///< of a block copy
    std::unique_lock<std::mutex> blocks;
  };
  /// `names` may be held, shared.
  WriteTurn take_turn(Inode& inode) const;
  struct WriteRange {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool is_append = false;  ///< `offset` is set to the end of the file
  };
  /// The turn, with what the file shows copied wherever a write to `range` would leave some of it
  /// in a block. Errors: EFBIG, those of contents.
  Result<WriteTurn> take_turn_to_write(const Bytes& own, WriteRange& range);
  /// Makes `fd`, the new file of `id`, show `content`: null if it has the bytes already, for its
  /// filesystem shares blocks by itself. On the medium on return.
  Result<std::shared_ptr<BlockMap>> share_blocks(const store::ContentId& content, UpperId id,
                                                 int fd);
  Result<std::size_t> read_shared(const Bytes& own, BlockMap& map, std::uint64_t offset,
                                  std::span<std::byte> out);
  /// After `written` of `wanted` bytes were put into the file; how many of them count. The caller
  /// has the turn.
  Result<std::size_t> write_shared(const Bytes& own, BlockMap& map, std::uint64_t offset,
                                   std::size_t wanted, std::size_t written);
  /// What becomes of zeros that are copied. A block that is about to be changed in part is written
  /// whole: after a crash one with a hole in it, however small, counts as lost.
  enum class Zeros : std::uint8_t { kHoles, kWritten };
  /// Copies what [offset, offset + length), whole blocks, still shows.
  Result<void> fill(UpperId id, int fd, BlockMap& map, std::uint64_t offset, std::size_t length,
                    Zeros zeros);
  void note_use(UpperId id, BlockMap& map, std::uint64_t bytes);
  /// The file of `id` has all its bytes on return, durably. Errors: EINTR (stopped), those of
  /// contents.
  Result<void> complete_bytes(UpperId id, const std::stop_token& stop);
  /// The same, if nothing has to be fetched for it.
  Result<void> complete_if_local(UpperId id, const std::stop_token& stop);

  // Bytes that the kernel writes by itself (view_hot.cpp).
  /// One more open file of `node` is going to be written unseen. `file`: its bytes, open for
  /// reading alone, or null. True if what the kernel remembers of its attributes has to go. `names`
  /// is held.
  bool heat(Node& node, std::shared_ptr<const UniqueFd> file);
  /// One such file less. No lock is held.
  void release_writer(Inode& inode);
  /// Brings size and times of a hot inode up to its bytes. live_mutex is held.
  void catch_up(Inode& inode) const;
  /// Ends the heat of all inodes whose bytes nobody can write any more. `names` may be held.
  void cool_all();
  /// The same of those that `nodes` have. No lock is held.
  void cool(std::vector<NodeRef> nodes);
  /// The node of the hot inode `id`, if it is hot no longer. hot_mutex is held.
  NodeRef try_to_cool(UpperId id);
  [[nodiscard]] std::vector<NodeRef> hot_nodes();
  /// For the start: those that are written to through an earlier mount are hot.
  Result<void> heat_written();
  /// For the end: as cool_all(), whoever has files open. False: bytes are still written to whose
  /// row will be looked for. `names` is held exclusively.
  bool cool_for_end();

  // Rows that are behind memory. `names` is held exclusively.
  Result<void> flush(const std::vector<NodeRef>& nodes) const;
  /// The bytes of a node without a name go, unless somebody knows it. No lock is needed: no name
  /// leads to it, and who finds it in the table (all()) settles afterwards.
  Result<void> remove_if_unknown(Node& nameless) const;
  Result<void> flush_all();
  Result<store::SealedUpper> seal();
  /// For the end: files without a name have lived on in their descriptors until now.
  Result<void> remove_unstored_bytes();
  void put_live_row(store::MetadataBatch& batch, Inode& inode) const;
  /// Flushes and drops what nobody knows any more. No lock is held.
  void settle();

  CopyCompleter completer;  ///< last: its thread uses the others
};

}  // namespace satchel::fs
