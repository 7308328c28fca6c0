#include "syncer/merged_identity.h"

#include <algorithm>
#include <map>
#include <vector>

#include "store/directory.h"
#include "store/link_parts.h"
#include "store/page_comparer.h"

namespace satchel::syncer {
namespace {

using store::Entry;
using store::FileId;
using store::LinkItem;
using store::Root;

class IdentityRepair {
 public:
  IdentityRepair(store::TreeStore& trees, const MediatedTrees& sides, const MergedNames& noticed)
      : trees_(trees), sides_(sides), noticed_(noticed), touched_(noticed.linked) {}

  Result<Root> repair(Root merged) {
    SATCHEL_TRY(make_link_table(merged));
    SATCHEL_TRY(find_candidates(merged));
    SATCHEL_TRY(tell_directories_apart(merged));
    return tell_files_apart(merged);
  }

 private:
  Result<void> make_link_table(Root& merged);
  Result<void> find_candidates(const Root& merged);
  Result<void> tell_directories_apart(Root& merged);
  Result<Root> tell_files_apart(const Root& merged);
  Result<void> relink(Root& merged, const store::PageId& table, const std::set<LinkItem>& gone,
                      const std::set<std::string>& paths);
  [[nodiscard]] Result<std::optional<store::LocatedEntry>> locate(const Root& root,
                                                                  const std::string& path) const;

  store::TreeStore& trees_;
  const MediatedTrees& sides_;
  const MergedNames& noticed_;
  std::set<FileId> touched_;          // linked files of which names may disagree
  std::set<std::string> candidates_;  // names that may share their file id with another
};

Result<std::optional<store::LocatedEntry>> IdentityRepair::locate(const Root& root,
                                                                  const std::string& path) const {
  SATCHEL_ASSIGN(const RelativePath parsed, RelativePath::parse(path));
  return store::locate_path(trees_, root, parsed);
}

/// Where both sides' tables have a link it is one in `merged` too: each name is some side's. So
/// only what differs between them is looked up.
Result<void> IdentityRepair::make_link_table(Root& merged) {
  std::set<LinkItem> of_client;
  std::set<LinkItem> of_server;
  store::PageComparer<LinkItem> links(trees_, sides_.client.links, sides_.server.links);
  for (;;) {
    SATCHEL_ASSIGN(const bool differs, links.next());
    if (!differs) break;
    if (links.first() != nullptr) of_client.insert(*links.first());
    if (links.second() != nullptr) of_server.insert(*links.second());
  }
  store::Subtrees rebased;
  for (const std::string& path : noticed_.rebased) rebased.add(path);
  SATCHEL_TRY(collect_links(trees_, sides_.client.links, rebased, of_client));
  SATCHEL_TRY(collect_links(trees_, sides_.server.links, rebased, of_server));
  std::set<std::string> paths;
  for (const LinkItem& link : of_client) paths.insert(link.path);
  for (const LinkItem& link : of_server) {
    paths.insert(link.path);
    touched_.insert(link.file_id);
  }
  return relink(merged, sides_.client.links, of_client, paths);
}

/// Gives `merged` the link table `table` without `gone` and with what it has at `paths`.
Result<void> IdentityRepair::relink(Root& merged, const store::PageId& table,
                                    const std::set<LinkItem>& gone,
                                    const std::set<std::string>& paths) {
  std::set<LinkItem> come;
  SATCHEL_TRY(locate_links(trees_, merged, paths, come));
  candidates_.insert(paths.begin(), paths.end());  // also those that are no links any more
  for (const LinkItem& link : gone) touched_.insert(link.file_id);
  for (const LinkItem& link : come) touched_.insert(link.file_id);
  SATCHEL_ASSIGN(merged.links, edit_links(trees_, table, gone, come));
  return {};
}

/// On each side every file id has one name, or several that are links. So of two names with one id
/// in `merged` one is new to the id on its side; the other is so on the other side, or has had the
/// id in base too and is there only because its side changed it.
Result<void> IdentityRepair::find_candidates(const Root& merged) {
  const auto& [base, client, server] = sides_;
  std::vector<IdentityAt> found = noticed_.decided;
  SATCHEL_TRY(find_new_identities(trees_, base, client, server, found));
  SATCHEL_TRY(find_new_identities(trees_, base, server, client, found));
  std::set<std::string> walked = noticed_.rebased;
  walked.insert(noticed_.taken_whole.begin(), noticed_.taken_whole.end());
  for (const std::string& path : walked) {
    SATCHEL_TRY(find_identities(trees_, merged, path, found));
  }
  std::ranges::sort(found);
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i - 1].file_id != found[i].file_id || found[i - 1].path == found[i].path) continue;
    candidates_.insert(found[i - 1].path);
    candidates_.insert(found[i].path);
  }
  return {};
}

/// By path, so that a directory has its final id before what is in it is looked at.
Result<void> IdentityRepair::tell_directories_apart(Root& merged) {
  std::set<FileId> taken;
  for (const std::string& path : candidates_) {
    SATCHEL_ASSIGN(const auto located, locate(merged, path));
    if (!located || !located->entry.is_directory()) continue;
    if (taken.insert(located->file_id).second) continue;
    Entry entry = located->entry;
    entry.file_id = store::split_file_id(located->file_id, path);
    taken.insert(*entry.file_id);
    SATCHEL_ASSIGN(merged, edit_tree(trees_, merged, {{path, entry}}));

    store::Subtrees renamed;
    renamed.add(path);
    std::set<LinkItem> old_links;
    SATCHEL_TRY(collect_links(trees_, merged.links, renamed, old_links));
    std::set<std::string> paths;
    for (const LinkItem& link : old_links) paths.insert(link.path);
    SATCHEL_TRY(relink(merged, merged.links, old_links, paths));
  }
  return {};
}

Result<Root> IdentityRepair::tell_files_apart(const Root& merged) {
  std::map<FileId, std::map<std::string, Entry>> names;
  std::set<FileId> directories;
  for (const std::string& path : candidates_) {
    SATCHEL_ASSIGN(const auto located, locate(merged, path));
    if (!located) continue;
    if (located->entry.is_directory()) {
      directories.insert(located->file_id);
    } else {
      names[located->file_id].emplace(path, located->entry);
      touched_.insert(located->file_id);
    }
  }
  store::LinkRepair repair;
  for (const FileId& file_id : touched_) {
    SATCHEL_ASSIGN(const auto paths, find_links(trees_, merged.links, file_id));
    for (const std::string& path : paths) {
      SATCHEL_ASSIGN(const auto located, locate(merged, path));
      if (located) names[file_id].emplace(path, located->entry);
    }
    repair.part(
        file_id, names[file_id],
        directories.contains(file_id) ? store::FirstPart::kIsRenamed : store::FirstPart::kKeepsId);
  }
  return repair.apply(trees_, merged);
}

}  // namespace

Result<Root> put_identity_right(store::TreeStore& trees, const MediatedTrees& sides, Root merged,
                                const MergedNames& noticed) {
  return IdentityRepair(trees, sides, noticed).repair(std::move(merged));
}

}  // namespace satchel::syncer
