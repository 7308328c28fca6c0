// A view over real rows and files, driven by paths, and the same operations on a plain directory.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fs/upper.h"
#include "fs/view.h"
#include "store/tree_store.h"
#include "test/support/manual_clock.h"
#include "test/support/seeded_random.h"
#include "test/support/temp_dir.h"

namespace satchel::fs::test {

/// Contents in memory, as a repository that is always there.
class MemoryContents final : public ContentSource {
 public:
  store::ContentId add(std::string_view bytes);
  [[nodiscard]] std::string get(const store::ContentId& id) const;
  [[nodiscard]] std::size_t adopted() const;
  /// Every content is whole on this device; else none is.
  void keep_as_files() { are_files_ = true; }
  /// Runs `action` once, in the middle of the next read().
  void at_next_read(std::function<void()> action) {
    const std::lock_guard lock(mutex_);
    at_next_read_ = std::move(action);
  }

  Result<std::size_t> read(const store::ContentId& id, std::uint64_t offset,
                           std::span<std::byte> out) override;
  Result<std::shared_ptr<const UniqueFd>> find_file(const store::ContentId& id) override;
  Result<void> copy_to(const store::ContentId& id, int fd) override;
  Result<void> adopt(const store::ContentId& id, int directory_fd, const char* name) override;

 private:
  mutable std::mutex mutex_;
  std::map<store::ContentId, std::string> bytes_;
  std::size_t adopted_ = 0;
  bool are_files_ = false;
  std::function<void()> at_next_read_;
};

/// Everything travels, but for what lies below /local; /deny is refused.
class TestRouter final : public redirector::Router {
 public:
  [[nodiscard]] policies::Decision decide(const RelativePath& path,
                                          store::Kind kind) const override;
  [[nodiscard]] store::RulesId rules_id() const override { return {}; }
};

/// Remembers what the kernel would have been told.
class RecordingNotifier final : public KernelNotifier {
 public:
  void forget_entry(NodeId parent, const Name& name) override;
  void forget_inode(NodeId node) override;
  void forget_attributes(NodeId node) override;
  std::vector<std::string> entries;
  std::vector<NodeId> inodes;
};

/// One inode as both sides describe it. Times are left out: the two sides have clocks of their own.
struct Found {
  mode_t mode = 0;
  std::uint32_t nlink = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint64_t size = 0;
  std::string bytes;   ///< of files; target of symlinks
  std::string xattrs;  ///< "name=value;" each
  std::string links;   ///< the first path that is the same inode
  friend bool operator==(const Found&, const Found&) = default;
};
std::ostream& operator<<(std::ostream& out, const Found& found);
using Listing = std::map<std::string, Found>;

/// Names, by path from the root without a leading '/', and errno values (0: it worked).
class Side {
 public:
  virtual ~Side() = default;
  virtual int make_file(const std::string& path, mode_t mode) = 0;
  virtual int make_directory(const std::string& path, mode_t mode) = 0;
  virtual int make_symlink(const std::string& path, const std::string& target) = 0;
  virtual int make_fifo(const std::string& path, mode_t mode) = 0;
  virtual int write(const std::string& path, std::uint64_t offset, const std::string& bytes) = 0;
  virtual int append(const std::string& path, const std::string& bytes) = 0;
  virtual int truncate(const std::string& path, std::uint64_t size) = 0;
  virtual int unlink(const std::string& path) = 0;
  virtual int remove_directory(const std::string& path) = 0;
  virtual int link(const std::string& from, const std::string& to) = 0;
  virtual int rename(const std::string& from, const std::string& to, unsigned flags) = 0;
  virtual int change_mode(const std::string& path, mode_t mode) = 0;
  virtual int change_owner(const std::string& path, uid_t uid, gid_t gid) = 0;
  virtual int set_xattr(const std::string& path, const std::string& name,
                        const std::string& value) = 0;
  virtual Listing list() = 0;
};

/// A workspace in a temporary directory: its view can be closed and opened again.
class Workspace final : public Side {
 public:
  /// The base is what `plain` holds, or an empty tree.
  explicit Workspace(int plain_directory = -1);
  ~Workspace() override;

  View& view() { return *view_; }
  MemoryContents& contents() { return contents_; }
  store::MemoryTreeStore& trees() { return trees_; }
  satchel::test::ManualClock& clock() { return clock_; }
  RecordingNotifier& notifier() { return notifier_; }
  [[nodiscard]] store::RootId base() const { return base_; }
  /// Base files from this size on are copied block by block, once the view is opened again.
  void copy_blocks_from(std::uint64_t bytes) { block_copy_bytes_ = bytes; }
  /// Closes the view and opens it again; as after kill -9 if `crash`.
  void reopen(bool crash = false);
  /// The first half of that; the view is not used until reopen().
  void close() { view_.reset(); }
  /// Imports a plain directory as a tree.
  store::RootId import(int directory_fd);
  /// Seals the view and makes the tree that a snapshot would make of it, by the plainest means.
  store::BaseSwitch seal();
  /// seal(), and then the switch to what was sealed.
  void commit();
  [[nodiscard]] std::string upper_path() const { return directory_->path().text; }

  Result<NodeReply> find(const std::string& path);
  Result<NodeReply> find_parent(const std::string& path, std::string& name);
  /// The node of a path, which the kernel remembers from now on.
  NodeId hold(const std::string& path);
  NodeStat stat(const std::string& path);
  std::string read(const std::string& path);
  std::vector<std::string> names(const std::string& path);

  int make_file(const std::string& path, mode_t mode) override;
  int make_directory(const std::string& path, mode_t mode) override;
  int make_symlink(const std::string& path, const std::string& target) override;
  int make_fifo(const std::string& path, mode_t mode) override;
  int write(const std::string& path, std::uint64_t offset, const std::string& bytes) override;
  int append(const std::string& path, const std::string& bytes) override;
  int truncate(const std::string& path, std::uint64_t size) override;
  int unlink(const std::string& path) override;
  int remove_directory(const std::string& path) override;
  int link(const std::string& from, const std::string& to) override;
  int rename(const std::string& from, const std::string& to, unsigned flags) override;
  int change_mode(const std::string& path, mode_t mode) override;
  int change_owner(const std::string& path, uid_t uid, gid_t gid) override;
  int set_xattr(const std::string& path, const std::string& name,
                const std::string& value) override;
  Listing list() override;

 private:
  class Forgetter;
  int change(const std::string& path, const AttributeChange& change);
  int write_at(const std::string& path, std::uint64_t offset, const std::string& bytes,
               bool append);
  void list_below(NodeId directory, const std::string& path, Listing& listing,
                  std::map<std::uint64_t, std::string>& first_paths);

  std::unique_ptr<satchel::test::TempDir> directory_;
  store::MemoryTreeStore trees_;
  MemoryContents contents_;
  TestRouter router_;
  satchel::test::ManualClock clock_;
  satchel::test::SeededRandom random_{1};
  Log log_ = Log::to_nowhere();
  RecordingNotifier notifier_;
  store::RootId base_;
  std::uint64_t block_copy_bytes_ = UINT64_MAX;
  std::unique_ptr<View> view_;
};

/// The same on a directory of the host.
class PlainDirectory : public Side {
 public:
  PlainDirectory() = default;
  [[nodiscard]] int fd() const { return directory_.fd(); }
  [[nodiscard]] std::string path() const { return directory_.path().text; }

  int make_file(const std::string& path, mode_t mode) override;
  int make_directory(const std::string& path, mode_t mode) override;
  int make_symlink(const std::string& path, const std::string& target) override;
  int make_fifo(const std::string& path, mode_t mode) override;
  int write(const std::string& path, std::uint64_t offset, const std::string& bytes) override;
  int append(const std::string& path, const std::string& bytes) override;
  int truncate(const std::string& path, std::uint64_t size) override;
  int unlink(const std::string& path) override;
  int remove_directory(const std::string& path) override;
  int link(const std::string& from, const std::string& to) override;
  int rename(const std::string& from, const std::string& to, unsigned flags) override;
  int change_mode(const std::string& path, mode_t mode) override;
  int change_owner(const std::string& path, uid_t uid, gid_t gid) override;
  int set_xattr(const std::string& path, const std::string& name,
                const std::string& value) override;
  Listing list() override;

 private:
  satchel::test::TempDir directory_;
};

/// A tree of every kind, with links, to be a base.
void fill(Side& side);
/// The paths at which the two differ, with both descriptions; empty if they are equal.
std::string differences(const Listing& expected, const Listing& found);

}  // namespace satchel::fs::test
