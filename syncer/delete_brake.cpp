#include "syncer/delete_brake.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "store/diff.h"

namespace satchel::syncer {
namespace {

using store::Change;
using store::ContentId;
using store::Entry;
using store::Root;
using store::TreeStore;

/// Ends a walk that has seen enough.
const Error kSeenEnough{.code = ECANCELED, .sat = Sat::kNone, .message = "seen enough"};

Result<std::uint64_t> count_removed(TreeStore& trees, const Root& before, const Root& after) {
  std::uint64_t removed = 0;
  SATCHEL_TRY(store::walk_changes(trees, before, after, [&](const Change& change) -> Result<void> {
    const bool was_file = change.first != nullptr && !change.first->is_directory();
    if (was_file && change.second == nullptr) ++removed;
    return {};
  }));
  return removed;
}

/// As count_removed(), a removed file for each new one with its content left out.
Result<std::uint64_t> count_deleted(TreeStore& trees, const Root& before, const Root& after) {
  std::map<ContentId, std::int64_t> balance;
  std::uint64_t others = 0;
  SATCHEL_TRY(store::walk_changes(trees, before, after, [&](const Change& change) -> Result<void> {
    const Entry* const first = change.first;
    const Entry* const second = change.second;
    if (first != nullptr && second == nullptr && !first->is_directory()) {
      if (first->kind == store::Kind::kFile) {
        ++balance[first->content];
      } else {
        ++others;
      }
    }
    if (second != nullptr && first == nullptr && second->kind == store::Kind::kFile) {
      --balance[second->content];
    }
    return {};
  }));
  std::uint64_t deleted = others;
  for (const auto& [content, count] : balance) {
    if (count > 0) deleted += static_cast<std::uint64_t>(count);
  }
  return deleted;
}

/// Walks until there are `enough` files.
Result<bool> has_files(TreeStore& trees, const Root& tree, std::uint64_t enough) {
  std::uint64_t files = 0;
  const auto walked =
      store::walk_tree(trees, tree, [&](const RelativePath&, const Entry& entry) -> Result<void> {
        if (!entry.is_directory()) ++files;
        if (files >= enough) return kSeenEnough;
        return {};
      });
  if (!walked && walked.error() != kSeenEnough) return walked.error();
  return files >= enough;
}

}  // namespace

Result<void> check_delete_brake(TreeStore& trees, const Root& before, const Root& after,
                                const DeleteBrake& brake, std::string_view whose) {
  SATCHEL_ASSIGN(const std::uint64_t removed, count_removed(trees, before, after));
  if (removed <= brake.files_max) return {};
  SATCHEL_ASSIGN(const std::uint64_t deleted, count_deleted(trees, before, after));
  if (deleted <= brake.files_max) return {};
  const unsigned percent = std::max(brake.percent_max, 1U);
  // Rounded up, so that deleting all of a tree never passes for a part of it.
  const std::uint64_t enough = (deleted * 100 + percent - 1) / percent;
  SATCHEL_ASSIGN(const bool is_part, has_files(trees, before, enough));
  if (is_part && brake.percent_max > 0) return {};
  return Error{.code = ECANCELED,
               .sat = Sat::kDeleteBrake,
               .message = fmt::format("this round would delete {} files of {}, more than {} and "
                                      "more than {} % of what is there; nothing was changed",
                                      deleted, whose, brake.files_max, brake.percent_max),
               .hint = "if that is meant, run: satchel sync --allow-deletes"};
}

}  // namespace satchel::syncer
