// The inodes that the kernel knows, by node id, by place in the base and by row of the upper.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/unique_fd.h"
#include "fs/base_tree.h"
#include "fs/upper_rows.h"
#include "fs/view.h"

namespace satchel::fs {

/// A changed inode in memory: its row, and what has happened to its bytes since.
///
/// `row` is guarded by the view's lock of names, but for row.live and row.bytes_mtime, which
/// `live_mutex` guards. `io_mutex` is held while the daemon changes bytes or size.
struct Inode {
  Inode(UpperId number, InodeRow fields) : id(number), row(std::move(fields)) {}

  const UpperId id;
  InodeRow row;
  bool is_stored = true;     ///< has a row on disk; not: unlinked, or made without a name
  bool is_linkable = false;  ///< made without a name, may get one

  std::mutex live_mutex;
  /// Something is left to do on disk: row.live is ahead of the row, or bytes have to go because
  /// nothing is stored.
  bool is_dirty = false;
  bool is_folder_synced = false;
  bool was_emptied = false;             ///< cut off at 0, and not closed by a writer since
  std::weak_ptr<const UniqueFd> bytes;  ///< lives while a handle uses it
  /// The bytes may change without a request: a file is, or was, open that the kernel writes to by
  /// itself (view_hot.cpp).
  bool is_hot = false;
  std::uint32_t unseen_writers = 0;  ///< such files that are open
  Timestamp bytes_atime;             ///< while hot: of the file in upper/, as it was seen last
  /// While hot: the file in upper/, open for reading alone; null if there are many such.
  std::shared_ptr<const UniqueFd> hot_file;
  /// Since it was in memory, some were: what the kernel kept of served reads may be outdated.
  bool was_hot = false;

  std::mutex io_mutex;
  /// The base switch took its bytes over: descriptors read on, writers look for the new inode.
  std::atomic<bool> is_retired = false;

  /// Directories: the base directory of row.base_path, as of this epoch. Guarded by live_mutex.
  std::uint32_t base_epoch = 0;
  std::optional<BaseDirectory> base;
};

/// One inode that the kernel knows, or that something it knows stands in.
///
/// A node without `inode` is the base's entry `name` in `parent`. Of nodes with one, only
/// directories have a parent. All fields but the constant ones are guarded by the view's lock of
/// names; the caches, lookups and pins by the table.
struct Node {
  NodeId id{};
  store::Kind kind = store::Kind::kFile;
  bool is_linked = false;   ///< base entry with several names: found by file id
  bool is_removed = false;  ///< has no name any more
  /// A base switch has given its names to others: who comes by one of them has to look it up again.
  bool is_outdated = false;
  std::uint32_t pins = 0;
  std::uint64_t lookups = 0;
  Node* parent = nullptr;  ///< pinned by this node
  std::string name;
  store::FileId file_id;
  std::shared_ptr<Inode> inode;
  struct Place {
    NodeId parent{};
    std::string name;
  };
  /// The name by which it was found, made or moved last; that of a file may be gone since. Null: it
  /// is `name` in `parent`, as for most. Guarded by the table.
  std::unique_ptr<Place> seen;
  struct BaseCache {
    std::uint32_t epoch = 0;
    BaseDirectory directory;
  };
  std::unique_ptr<BaseCache> base;  ///< directories without `inode`
  struct RouteCache {
    std::uint64_t edition = 0;  ///< of the router
    std::uint64_t moves = 0;    ///< of directories
    std::shared_ptr<const redirector::RoutedDirectory> directory;
  };
  std::unique_ptr<RouteCache> route;  ///< directories in which something was asked of rules
  /// The kernel has other bytes open for this node than its file has now, so the file's names lead
  /// to another node, which answers for this one. Pinned by this node; set once.
  std::atomic<Node*> successor = nullptr;

  /// The node that answers for this one.
  [[nodiscard]] Node& current();
  [[nodiscard]] bool is_directory() const { return kind == store::Kind::kDirectory; }
};

class InodeTable;
class NodeIndex;

/// Keeps a node while it is used. Movable.
class NodeRef {
 public:
  NodeRef() = default;
  /// Takes over one pin that the table has counted.
  NodeRef(InodeTable& table, Node& node) : table_(&table), node_(&node) {}
  NodeRef(NodeRef&& other) noexcept
      : table_(other.table_), node_(std::exchange(other.node_, nullptr)) {}
  NodeRef& operator=(NodeRef&& other) noexcept;
  NodeRef(const NodeRef&) = delete;
  NodeRef& operator=(const NodeRef&) = delete;
  ~NodeRef() { reset(); }
  void reset();

  [[nodiscard]] Node* get() const { return node_; }
  Node* operator->() const { return node_; }
  Node& operator*() const { return *node_; }
  explicit operator bool() const { return node_ != nullptr; }

 private:
  InodeTable* table_ = nullptr;
  Node* node_ = nullptr;
};

/// Finds nodes and counts who knows them. A node that nobody knows goes at once, unless its inode
/// is dirty: then it becomes idle and take_idle() names it, and a look-up may still find it.
///
/// Thread-safe. Methods marked (names) need the view's lock of names, exclusive.
class InodeTable {
 public:
  /// With `index` (borrowed) a file gets the node id that it had before, and where it stands is
  /// written there.
  InodeTable(const store::FileId& root, NodeIndex* index);
  ~InodeTable();
  InodeTable(const InodeTable&) = delete;
  InodeTable& operator=(const InodeTable&) = delete;

  /// The node that answers for `id`, pinned; empty if unknown.
  NodeRef find(NodeId id);
  NodeRef pin(Node& node);
  NodeRef root();
  /// The node for a base entry, found or made.
  NodeRef for_base(Node& parent, const Name& name, const store::LocatedEntry& located);
  NodeRef find_base(const Node& parent, std::string_view name);
  NodeRef find_linked(const store::FileId& file_id);
  NodeRef find_upper(UpperId id);
  /// The node of `inode`, or another thread's that came first for the same row. Directories are
  /// told where they stand.
  NodeRef for_upper(std::shared_ptr<Inode> inode, Node* parent, std::string_view name);

  void add_lookup(Node& node);
  void forget(NodeId id, std::uint64_t lookups);

  /// (names) `node` was a base entry and has `inode` from now on.
  void attach(Node& node, std::shared_ptr<Inode> inode);
  /// (names) `node` has lost its row, or its place, and is the base entry `name` of `parent` now.
  void detach_to_base(Node& node, Node& parent, std::string_view name,
                      const store::LocatedEntry& located);
  /// (names) No name leads to `node` any more; who knows it goes on with `inode`. The next look-up
  /// of what it was makes another node, and who opens or changes this one by a name is sent there.
  void orphan(Node& node, std::shared_ptr<Inode> inode);
  /// (names) The names of the changed file `node` lead to a new node from now on.
  NodeRef supersede(Node& node);
  /// (names) The directory `node` stands elsewhere now.
  void move(Node& node, Node& parent, std::string_view name);
  /// (names) `node` and what another device made are one file from now on, with this id.
  void change_file_id(Node& node, const store::FileId& file_id);
  /// (names) No path leads to `node` any more.
  void mark_removed(Node& node);
  /// (names) `node`, whatever kind it is, has the name `name` in `parent` now: for the index.
  void note_place(Node& node, const Node& parent, std::string_view name);

  /// By which name, in which directory, `node` was seen last; the root was in none.
  [[nodiscard]] std::optional<std::pair<NodeId, std::string>> seen_place(const Node& node) const;

  void set_base_cache(Node& node, std::uint32_t epoch, const BaseDirectory& directory);
  std::optional<BaseDirectory> base_cache(const Node& node, std::uint32_t epoch) const;

  /// What the rules see of the directory `node`, kept with it until `edition` is another one or any
  /// directory moves. Null: to be entered anew; `moves` then says for how long that holds.
  struct Route {
    std::shared_ptr<const redirector::RoutedDirectory> directory;
    std::uint64_t moves = 0;
  };
  Route route(const Node& node, std::uint64_t edition) const;
  void set_route(Node& node, std::uint64_t edition, Route route);

  /// Nodes that nobody knows and whose inode is dirty; each once.
  std::vector<NodeRef> take_idle();
  /// Nobody but the caller, by one pin, knows `node`.
  [[nodiscard]] bool is_unknown(const Node& node) const;
  /// Every node, pinned.
  std::vector<NodeRef> all();
  [[nodiscard]] std::uint64_t size() const;
  /// True once each time that half of many nodes have gone: time to give memory back.
  [[nodiscard]] bool has_shrunk();

 private:
  friend class NodeRef;
  struct PlaceKey {
    const Node* parent;
    std::string_view name;
  };
  struct PlaceHash {
    using is_transparent = void;
    std::size_t operator()(const PlaceKey& key) const;
    std::size_t operator()(const Node* node) const { return (*this)({node->parent, node->name}); }
  };
  struct PlaceEqual {
    using is_transparent = void;
    static PlaceKey key(const Node* node) { return {node->parent, node->name}; }
    static const PlaceKey& key(const PlaceKey& place) { return place; }
    template <typename First, typename Second>
    bool operator()(const First& first, const Second& second) const {
      const PlaceKey& a = key(first);
      const PlaceKey& b = key(second);
      return a.parent == b.parent && a.name == b.name;
    }
  };

  // All of these: mutex_ is held.
  Node& add(store::Kind kind, const store::FileId& file_id);
  NodeRef pinned(Node& node);
  void unpin(Node& node);
  void release_if_unknown(Node* node);
  void leave_base_index(Node& node);
  void set_parent(Node& node, Node* parent, std::string_view name);
  NodeId id_for(const store::FileId& file_id);
  void set_file_id(Node& node, const store::FileId& file_id);
  static void see_place(Node& node, const Node& parent, std::string_view name);
  static std::optional<Node::Place> place_of(const Node& node);
  void write_place(const Node& node, const Node& parent, std::string_view name);

  NodeIndex* const index_;
  mutable std::mutex mutex_;
  std::uint64_t next_id_ = static_cast<std::uint64_t>(kRootNode) + 1;
  std::unordered_map<NodeId, Node> nodes_;  ///< where they stay: others point to them
  std::size_t nodes_max_ = 0;               ///< since has_shrunk() was true
  std::unordered_set<Node*, PlaceHash, PlaceEqual> by_place_;
  std::unordered_map<store::FileId, Node*> by_file_id_;
  std::unordered_map<UpperId, Node*> by_upper_;
  std::vector<NodeId> idle_;
  std::uint64_t moves_ = 0;  ///< of directories that stand elsewhere since
};

}  // namespace satchel::fs
