// Hot inodes: the kernel writes their bytes by itself, so size, times and the need to hash them are
// found out from the file in upper/.
//
// A mapping outlives the descriptor that it was made from, and the kernel says nothing of it. So an
// inode stays hot until a read lease on its file is granted, which is refused while anybody has it
// open or mapped for writing. The daemon alone opens files in upper/, so nobody can come between
// the lease and the end of the heat.

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "fs/view_state.h"

namespace satchel::fs {
namespace {

/// More than one file is closed at a time, so what is mapped for long does not keep others waiting.
constexpr std::size_t kTriesAtRelease = 2;
/// Descriptors are few; what is hot beyond that is looked at by its name.
constexpr std::size_t kHotFilesMax = 128;

Result<struct stat> look_at(const Upper& upper, const Inode& inode) {
  struct stat found {};
  const int failed =
      inode.hot_file ? ::fstat(inode.hot_file->get(), &found)
                     : ::fstatat(upper.bytes_folder(inode.id), Upper::bytes_name(inode.id).c_str(),
                                 &found, AT_SYMLINK_NOFOLLOW);
  if (failed != 0) return errno_answer(errno);
  return found;
}

bool has_writers(const Upper& upper, const Inode& inode) {
  if (inode.hot_file) return Upper::has_writers(inode.hot_file->get());
  return upper.has_writers(inode.id);
}

}  // namespace

bool ViewState::heat(Node& node, std::shared_ptr<const UniqueFd> file) {
  Inode& inode = *node.inode;
  const std::lock_guard hot_lock(hot_mutex);
  const bool is_new = !hot.contains(inode.id);
  if (is_new) hot.emplace(inode.id, table.pin(node));
  const std::lock_guard lock(inode.live_mutex);
  ++inode.unseen_writers;
  if (inode.is_hot) return false;
  if (hot.size() <= kHotFilesMax) inode.hot_file = std::move(file);
  // What differs from now on was written past the daemon.
  if (const auto found = look_at(*upper, inode)) {
    inode.row.bytes_mtime = Timestamp::from(found->st_mtim);
    inode.bytes_atime = Timestamp::from(found->st_atim);
  }
  inode.is_hot = true;
  inode.was_hot = true;
  return true;
}

void ViewState::catch_up(Inode& inode) const {
  if (!inode.is_hot) return;
  const auto found = look_at(*upper, inode);
  if (!found) return;
  LiveFields live = inode.row.live;
  live.size = static_cast<std::uint64_t>(found->st_size);
  live.blocks = static_cast<std::uint64_t>(found->st_blocks);
  const Timestamp mtime = Timestamp::from(found->st_mtim);
  if (mtime != inode.row.bytes_mtime) {
    inode.row.bytes_mtime = mtime;
    live.mtime = mtime;
    live.ctime = std::max(live.ctime, mtime);
    live.data_generation = upper->generation();
  }
  const Timestamp atime = Timestamp::from(found->st_atim);
  if (atime != inode.bytes_atime) {
    inode.bytes_atime = atime;
    live.atime = atime;
  }
  if (live == inode.row.live) return;
  inode.row.live = live;
  inode.is_dirty = true;
}

NodeRef ViewState::try_to_cool(UpperId id) {
  const auto found = hot.find(id);
  if (found == hot.end()) return {};
  Inode& inode = *found->second->inode;
  const std::lock_guard lock(inode.live_mutex);
  if (inode.unseen_writers > 0 || !inode.bytes.expired()) return {};
  if (has_writers(*upper, inode)) return {};
  catch_up(inode);
  // Where times do not tell of stores through a mapping, nothing else would.
  inode.row.live.data_generation = upper->generation();
  inode.is_dirty = true;
  inode.is_hot = false;
  inode.hot_file.reset();
  NodeRef cooled = std::move(found->second);
  hot.erase(found);
  return cooled;
}

void ViewState::release_writer(Inode& inode) {
  std::vector<NodeRef> cooled;  // unpinned after the lock
  const std::lock_guard hot_lock(hot_mutex);
  {
    const std::lock_guard lock(inode.live_mutex);
    SATCHEL_ASSERT(inode.unseen_writers > 0);
    if (--inode.unseen_writers > 0) return;
  }
  closed.push_back(inode.id);
  for (std::size_t tries = std::min(kTriesAtRelease, closed.size()); tries > 0; --tries) {
    const UpperId id = closed.front();
    closed.pop_front();
    cooled.push_back(try_to_cool(id));
    if (!cooled.back() && hot.contains(id)) closed.push_back(id);
  }
}

void ViewState::cool_all() {
  std::vector<NodeRef> cooled;  // as above
  const std::lock_guard hot_lock(hot_mutex);
  for (const UpperId id : std::exchange(closed, {})) {
    cooled.push_back(try_to_cool(id));
    if (!cooled.back() && hot.contains(id)) closed.push_back(id);
  }
}

// A file that was mapped when it was closed last, and has no name: its bytes go when the kernel has
// forgotten it.
void ViewState::cool(std::vector<NodeRef> nodes) {
  {
    const std::lock_guard hot_lock(hot_mutex);
    if (hot.empty()) return;
  }
  std::vector<NodeRef> cooled;  // as above
  const std::shared_lock names_lock(names);
  const std::lock_guard hot_lock(hot_mutex);
  for (const NodeRef& node : nodes) {
    if (node->inode) cooled.push_back(try_to_cool(node->inode->id));
  }
}

std::vector<NodeRef> ViewState::hot_nodes() {
  const std::lock_guard hot_lock(hot_mutex);
  std::vector<NodeRef> nodes;
  for (const auto& [id, node] : hot) nodes.push_back(table.pin(*node));
  return nodes;
}

Result<void> ViewState::heat_written() {
  for (const UpperId id : upper->take_written()) {
    SATCHEL_ASSIGN(auto row, upper->find_row(id));
    if (!row) continue;
    const auto inode = std::make_shared<Inode>(id, *std::move(row));
    NodeRef node = table.for_upper(inode, nullptr, {});
    const std::lock_guard hot_lock(hot_mutex);
    const std::lock_guard lock(inode->live_mutex);
    if (const auto found = look_at(*upper, *inode)) {
      inode->bytes_atime = Timestamp::from(found->st_atim);
    }
    inode->is_hot = true;
    inode->was_hot = true;
    hot.emplace(id, std::move(node));
    closed.push_back(id);
  }
  return {};
}

// Files that are open when the connection ends are never released, and a close just before may not
// be heard of. Who writes on through them is known by the lease alone.
bool ViewState::cool_for_end() {
  for (const auto& handle : handles.files()) {
    const std::lock_guard lock(handle->mutex);
    handle->bytes.reset();
  }
  std::vector<NodeRef> nodes = hot_nodes();
  std::vector<NodeRef> cooled;  // as above
  const std::lock_guard hot_lock(hot_mutex);
  bool is_cold = true;
  for (const NodeRef& node : nodes) {
    Inode& inode = *node->inode;
    {
      const std::lock_guard lock(inode.live_mutex);
      inode.unseen_writers = 0;
    }
    cooled.push_back(try_to_cool(inode.id));
    if (!cooled.back() && inode.is_stored) is_cold = false;
  }
  return is_cold;
}

}  // namespace satchel::fs
