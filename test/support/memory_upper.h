// A LiveUpper that keeps a whole small view in memory, to drive rounds without a mount.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "store/live_upper.h"
#include "store/tree_store.h"
#include "test/support/seeded_random.h"

namespace satchel::test {

/// It holds every inode of the view and finds what to seal by walking all of them, so it says
/// nothing about cost; what it says about trees is easily seen to be right. Paths are written
/// "home/ada/x". Every operation must be possible (asserts). Not thread-safe beside a running
/// round, save from the hook below.
class MemoryUpper final : public store::LiveUpper {
 public:
  MemoryUpper(store::TreeStore& trees, const store::RootId& base, store::VersionNumber version,
              std::uint64_t seed = 1);
  ~MemoryUpper() override;

  // Work in the view.
  void write(const std::string& path, const std::string& bytes);  ///< new, or its bytes replaced
  void append(const std::string& path, const std::string& bytes);
  void make_directory(const std::string& path);
  void make_symlink(const std::string& path, const std::string& target);
  void link(const std::string& path, const std::string& new_path);
  void rename(const std::string& path, const std::string& new_path);  ///< replaces what is there
  void remove(const std::string& path);                               ///< with all that is in it
  void set_mode(const std::string& path, std::uint16_t mode);
  void set_xattr(const std::string& path, const std::string& name, const std::string& value);

  // Looking at it.
  [[nodiscard]] bool exists(const std::string& path) const;
  [[nodiscard]] store::ContentId content(const std::string& path) const;
  /// Every path with its kind and content, for messages and comparisons.
  [[nodiscard]] std::map<std::string, std::string> listing() const;
  /// Directories that are not, and all names that are files, symlinks …
  [[nodiscard]] std::vector<std::string> directories() const;
  [[nodiscard]] std::vector<std::string> files() const;
  /// The view built from scratch, the slow and plain way; file contents get their ids and are not
  /// stored. What snapshot must arrive at if every path travels.
  store::Root build_tree(store::TreeStore& trees) const;
  [[nodiscard]] store::VersionNumber base_version() const { return base_version_; }
  [[nodiscard]] store::RootId base_root() const { return base_root_; }
  [[nodiscard]] unsigned switches() const { return switches_; }

  /// Called each time is_unchanged_since() is asked, before the answer: a writer that never rests.
  std::function<void(store::UpperId)> on_look;

  // store::LiveUpper
  Result<store::SealedUpper> seal() override;
  Result<UniqueFd> read(store::UpperId id) override;
  Result<bool> is_unchanged_since(store::UpperId id, store::Generation generation) override;
  Result<void> switch_base(const store::BaseSwitch& change) override;

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct Sealing;

  NodePtr load(const store::Entry& entry, const store::FileId& parent, const std::string& path,
               std::map<store::FileId, NodePtr>& linked);
  void load_base(const store::RootId& base);
  [[nodiscard]] NodePtr find(const std::string& path) const;
  Node& get(const std::string& path) const;
  /// The directory that holds `path`'s last name, and that name.
  std::pair<NodePtr, std::string> place_of(const std::string& path) const;
  NodePtr make(store::Kind kind);
  void touch(Node& node) const;
  void drop_name(const NodePtr& node);
  void set_bytes(Node& node, const std::string& bytes);
  static void write_out(Node& node);
  static NodePtr copy_of(const Node& node);
  void visit(const Node& directory, const std::string& path,
             const std::function<void(const std::string&, const Node&)>& function) const;
  store::DirectoryRef build_directory(store::TreeStore& trees, const Node& directory,
                                      const std::string& path,
                                      std::vector<store::LinkItem>& links) const;

  store::TreeStore& trees_;
  SeededRandom random_;
  store::RootId base_root_;
  store::VersionNumber base_version_;
  NodePtr root_;
  std::map<std::string, NodePtr> base_nodes_;  ///< base path → the inode it was loaded as
  std::map<store::UpperId, std::weak_ptr<Node>> nodes_;
  std::map<std::string, store::Generation> removed_;  ///< paths removed or moved away, and when
  store::UpperId next_id_ = 1;
  store::Generation generation_ = 1;
  std::int64_t time_ = 1'800'000'000;
  unsigned switches_ = 0;
};

}  // namespace satchel::test
