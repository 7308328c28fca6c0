// Opening and closing a view, and keeping its rows up with its memory.

#include "fs/view.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>

#include "base/fault_point.h"
#include "fs/change.h"
#include "fs/core_lending.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

/// Gives a new upper the row of the root directory, of which every other row is a descendant.
Result<void> make_root_row(Upper& upper, const BaseTree& base) {
  SATCHEL_ASSIGN(const auto existing, upper.find_row(kRootUpper));
  if (existing) return {};
  SATCHEL_ASSIGN(InodeRow row, row_of_entry(base, base.root_entry()));
  row.own_attributes = false;
  row.base_path = RelativePath();
  store::MetadataBatch batch;
  Upper::put_row(batch, kRootUpper, row);
  Upper::put_place(batch, RelativePath(), kRootUpper);
  return upper.write(batch);
}

}  // namespace

ViewState::ViewState(const ViewContext& context_in, std::shared_ptr<const BaseTree> base_in,
                     std::unique_ptr<Upper> upper_in)
    : context(context_in),
      upper(std::move(upper_in)),
      table(store::root_file_id(), context_in.nodes),
      base(std::move(base_in)),
      completer(
          [this](UpperId id, const std::stop_token& stop) { return complete_if_local(id, stop); },
          context_in.log) {}

ViewState::~ViewState() = default;

View::View(std::unique_ptr<ViewState> state) : state_(std::move(state)) {}

Result<std::unique_ptr<View>> View::open(const ViewContext& context, const store::RootId& base,
                                         std::unique_ptr<Upper> upper) {
  if (upper && upper->base().root != base) {
    return Error{.code = EINVAL,
                 .sat = Sat::kContradiction,
                 .message = "the upper is a change of another base version"};
  }
  SATCHEL_ASSIGN(auto tree, BaseTree::open(context.trees, base));
  if (upper) SATCHEL_TRY(make_root_row(*upper, *tree));
  auto state = std::make_unique<ViewState>(context, std::move(tree), std::move(upper));
  if (state->upper) {
    SATCHEL_ASSIGN(auto row, state->upper->find_row(kRootUpper));
    SATCHEL_ASSERT(row.has_value());
    const NodeRef root = state->table.root();
    state->table.attach(*root, std::make_shared<Inode>(kRootUpper, *std::move(row)));
    SATCHEL_TRY(state->heat_written());
  }
  return std::unique_ptr<View>(new View(std::move(state)));
}

View::~View() {
  if (!state_->upper) return;
  state_->completer.stop();
  const std::unique_lock lock(state_->names);
  if (!fault_point("upper.close")) return;  // as if killed before
  const bool is_cold = state_->cool_for_end();
  auto flushed = state_->flush_all();
  if (flushed) flushed = state_->remove_unstored_bytes();
  if (flushed && is_cold) flushed = state_->upper->mark_clean();
  if (flushed && !is_cold) {
    state_->context.log.info(
        "files are still written to, past the mount that ends: the next one looks at them");
  }
  if (!flushed) {
    state_->context.log.warn("the upper was not closed cleanly, the next mount looks at its files");
  }
}

std::shared_ptr<ChangeWatch> View::watch_changes() {
  return state_->watches.add();
}

void View::set_notifier(KernelNotifier* notifier) {
  state_->notifier = notifier;
}

void View::set_backings(BackingRegistry* registry) {
  state_->modes.set_registry(registry);
}

void View::set_explainer(Explainer explainer) {
  state_->explainer = std::move(explainer);
}

Result<void> ViewState::require_writable() const {
  if (!upper) return errno_answer(EROFS);
  return {};
}

// The caller holds `names` exclusively, so only bytes and their times move meanwhile.
void ViewState::put_live_row(store::MetadataBatch& batch, Inode& inode) const {
  const std::lock_guard lock(inode.live_mutex);
  if (inode.row.has_own_bytes() && !inode.is_hot) {
    struct stat found {};
    if (::fstatat(upper->bytes_folder(inode.id), Upper::bytes_name(inode.id).c_str(), &found,
                  AT_SYMLINK_NOFOLLOW) == 0) {
      inode.row.live.blocks = static_cast<std::uint64_t>(found.st_blocks);
      inode.row.bytes_mtime = Timestamp::from(found.st_mtim);
    }
  }
  Upper::put_row(batch, inode.id, inode.row);
  inode.is_dirty = false;
}

Result<void> ViewState::flush(const std::vector<NodeRef>& nodes) const {
  store::MetadataBatch batch;
  std::vector<Inode*> flushed;
  Result<void> removed;  // what cannot be removed does not keep rows from being written
  for (const NodeRef& node : nodes) {
    if (!node->inode) continue;
    Inode& inode = *node->inode;
    {
      const std::lock_guard lock(inode.live_mutex);
      catch_up(inode);
      if (!inode.is_dirty) continue;
    }
    if (inode.is_stored) {
      put_live_row(batch, inode);
      flushed.push_back(&inode);
    } else {
      auto result = upper->order_rows();
      if (result) result = remove_if_unknown(*node);
      if (!result) removed = std::move(result);
    }
  }
  if (batch.is_empty()) return removed;
  auto written = upper->write(batch);
  if (written) return removed;
  for (Inode* inode : flushed) {
    const std::lock_guard lock(inode->live_mutex);
    inode->is_dirty = true;
  }
  return written;
}

Result<void> ViewState::remove_if_unknown(Node& nameless) const {
  if (!table.is_unknown(nameless)) return {};
  Inode& inode = *nameless.inode;
  {
    const std::lock_guard lock(inode.live_mutex);
    if (inode.row.live.blocks > kLongWorkBlocks) keep_core();
  }
  SATCHEL_TRY(upper->remove_bytes(inode.id));
  const std::lock_guard lock(inode.live_mutex);
  inode.is_dirty = false;
  return {};
}

Result<void> ViewState::flush_all() {
  return flush(table.all());
}

Result<void> ViewState::remove_unstored_bytes() {
  SATCHEL_TRY(upper->order_rows());
  for (const NodeRef& node : table.all()) {
    if (node->inode && !node->inode->is_stored) {
      SATCHEL_TRY(upper->remove_bytes(node->inode->id));
    }
  }
  return {};
}

void ViewState::settle() {
  if (!upper) return;
  std::vector<NodeRef> idle = table.take_idle();
  if (idle.empty()) return;
  std::vector<NodeRef> nameless;
  {
    const std::shared_lock lock(names);
    const auto first = std::stable_partition(idle.begin(), idle.end(), [](const NodeRef& node) {
      return !node->inode || node->inode->is_stored;
    });
    std::move(first, idle.end(), std::back_inserter(nameless));
    idle.erase(first, idle.end());
  }
  Result<void> settled;
  // Else a power cut could bring back a name without its bytes.
  if (!nameless.empty()) settled = upper->order_rows();
  if (!settled) nameless.clear();
  // Nothing leads to them, so names may change while their bytes go.
  for (const NodeRef& node : nameless) {
    if (auto removed = remove_if_unknown(*node); !removed) settled = std::move(removed);
  }
  if (!idle.empty()) {
    const std::unique_lock lock(names);
    if (auto flushed = flush(idle); !flushed) settled = std::move(flushed);
  }
  if (!settled) {
    // The nodes stay, and with them what they know; the next call tries again.
    context.log.warn("rows of the upper could not be written error=\"{}\"",
                     to_text(settled.error()));
  }
}

Result<FilesystemStat> View::filesystem_stat() {
  FilesystemStat stat;
  if (!state_->upper) return stat;
  SATCHEL_ASSIGN(const auto found, state_->upper->filesystem());
  const std::uint64_t unit = found.f_frsize != 0 ? found.f_frsize : found.f_bsize;
  stat.block_bytes = static_cast<std::uint32_t>(unit);
  stat.blocks = found.f_blocks;
  stat.blocks_free = found.f_bfree;
  stat.blocks_available = found.f_bavail;
  stat.files = found.f_files;
  stat.files_free = found.f_ffree;
  return stat;
}

store::RootId View::base_root() const {
  const std::shared_lock lock(state_->names);
  return state_->base->id();
}

store::VersionNumber View::base_version() const {
  return state_->upper ? state_->upper->base().version : 0;
}

}  // namespace satchel::fs
