// gc's first step: what no ref reaches. store/fsck.h.
#include <sys/stat.h>

#include <optional>

#include "store/fsck.h"
#include "store/reachability.h"
#include "store/ref_roots.h"

namespace satchel::store {
namespace {

/// Marks what refs reach. Anything missing is an error: without it nobody knows what else is
/// needed.
Result<void> mark_all(Repository& repository, ReachabilityWalk& walk) {
  for (const RefKind kind : {RefKind::kLayer, RefKind::kImage, RefKind::kUser}) {
    SATCHEL_ASSIGN(const auto names, repository.list_names(kind));
    for (const RefName& name : names) {
      SATCHEL_ASSIGN(const auto numbers, repository.list_versions(name));
      for (const VersionNumber number : numbers) {
        SATCHEL_ASSIGN(const RefRecord record, repository.read_ref(name, number));
        const std::string where = name.folder() + '@' + std::to_string(number);
        for (const RootId& root : list_roots(record.body)) SATCHEL_TRY(walk.walk(root, where));
      }
    }
  }
  return {};
}

Result<void> count_pack(Repository& repository, const PackId& id, const EntryMarks& marks,
                        GarbageReport& report) {
  SATCHEL_ASSIGN(const UniqueFd fd, repository.open_pack(id));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return repository.explain(errno_error(repository.pack_path(id).text, "cannot stat a pack"));
  }
  SATCHEL_ASSIGN(const auto items, read_pack_index(fd.get()));
  std::uint64_t unreferenced_bytes = 0;
  std::size_t unreferenced = 0;
  for (std::size_t ordinal = 0; ordinal < items.size(); ++ordinal) {
    if (marks.is_marked(id, ordinal)) continue;
    ++unreferenced;
    unreferenced_bytes += items[ordinal].stored_bytes;
  }
  report.bytes_total += static_cast<std::uint64_t>(status.st_size);
  if (unreferenced == items.size()) {
    ++report.packs_unreferenced;
    report.unreferenced.push_back(id);
    report.bytes_unreferenced += static_cast<std::uint64_t>(status.st_size);
  } else if (unreferenced > 0) {
    ++report.packs_partly;
    report.bytes_unreferenced += unreferenced_bytes;
  }
  return {};
}

}  // namespace

Result<GarbageReport> find_garbage(Repository& repository) {
  SATCHEL_TRY(repository.refresh());
  // Listed before the walk: a pack of a version that is committed meanwhile is not counted.
  SATCHEL_ASSIGN(const auto packs, repository.list_packs());
  std::optional<Error> failure;
  ReachabilityWalk walk(repository, [&](const std::string& where, const Error& error) {
    if (failure) return;
    failure = error;
    failure->path = where;
    failure->hint = "run: satchel fsck " + repository.path().text;
  });
  SATCHEL_TRY(mark_all(repository, walk));
  if (failure) return *failure;
  GarbageReport report;
  for (const PackId& id : packs) SATCHEL_TRY(count_pack(repository, id, walk.marks(), report));
  return report;
}

}  // namespace satchel::store
