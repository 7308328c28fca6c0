#include "store/fsck.h"

#include <sys/stat.h>

#include <optional>
#include <unordered_set>

#include "store/reachability.h"
#include "store/ref_roots.h"

namespace satchel::store {
namespace {

constexpr const char* kRestoreHint =
    "restore the pack from a copy, or sync again from a device that has the content";
constexpr const char* kRefHint = "restore the record from a copy of the repository";

class Fsck {
 public:
  Fsck(Repository& repository, const FsckOptions& options)
      : repository_(repository),
        options_(options),
        walk_(repository, [this](const std::string& where, const Error& error) {
          add(where, error, kRestoreHint);
        }) {}

  Result<FsckReport> run();

 private:
  Result<void> check_packs();
  Result<void> check_pack(const PackId& id);
  Result<void> check_entries(int fd, const std::vector<PackIndexItem>& items,
                             const std::string& where);
  Result<void> check_refs();
  Result<void> check_versions(const RefName& name);
  Result<void> check_version(const RefName& name, VersionNumber number);
  void add(const std::string& where, const Error& error, const std::string& hint);
  Result<void> add_unless_offline(const std::string& where, const Error& error,
                                  const std::string& hint);

  Repository& repository_;
  const FsckOptions& options_;
  ReachabilityWalk walk_;
  FsckReport report_;
  std::unordered_set<EntryKey> damaged_;
  std::optional<RecordHash> previous_;  ///< of the version before, if that could be read
};

void Fsck::add(const std::string& where, const Error& error, const std::string& hint) {
  report_.problems.push_back({.sat = error.sat != Sat::kNone ? error.sat : Sat::kIo,
                              .where = where,
                              .what = error.message.empty() ? to_text(error) : error.message,
                              .hint = error.hint.empty() ? hint : error.hint});
}

Result<void> Fsck::add_unless_offline(const std::string& where, const Error& error,
                                      const std::string& hint) {
  const Error explained = repository_.explain(error);
  if (explained.sat == Sat::kOffline) return explained;
  add(where, explained, hint);
  return {};
}

Result<FsckReport> Fsck::run() {
  // An index from before may know entries of packs that have since become unreadable.
  SATCHEL_TRY(repository_.rebuild_index());
  SATCHEL_TRY(check_packs());
  walk_.expect_damaged(damaged_);
  SATCHEL_TRY(check_refs());
  return std::move(report_);
}

Result<void> Fsck::check_packs() {
  SATCHEL_ASSIGN(const auto packs, repository_.list_packs());
  std::uint64_t done = 0;
  for (const PackId& id : packs) {
    const std::string where = repository_.pack_path(id).text;
    const auto checked = check_pack(id);
    if (!checked) SATCHEL_TRY(add_unless_offline(where, checked.error(), kRestoreHint));
    ++report_.packs;
    if (options_.progress) options_.progress(++done, packs.size());
  }
  return {};
}

Result<void> Fsck::check_pack(const PackId& id) {
  SATCHEL_ASSIGN(const UniqueFd fd, repository_.open_pack(id));
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0) report_.bytes += static_cast<std::uint64_t>(status.st_size);
  SATCHEL_ASSIGN(const auto items, read_pack_index(fd.get()));
  report_.entries += items.size();
  if (!options_.read_contents) return {};
  SATCHEL_TRY(check_entries(fd.get(), items, repository_.pack_path(id).text));
  // Last, because it says least: which entry it was stands above.
  return verify_pack(fd.get(), id);
}

Result<void> Fsck::check_entries(int fd, const std::vector<PackIndexItem>& items,
                                 const std::string& where) {
  for (const PackIndexItem& item : items) {
    const auto raw = read_pack_entry(fd, item);
    const auto verified = raw ? repository_.verify(item.key, *raw) : Result<void>(raw.error());
    if (verified) continue;
    Error error = verified.error();
    error.message = to_text(item.key) + ": " + error.message;
    SATCHEL_TRY(add_unless_offline(where, error, kRestoreHint));
    damaged_.insert(item.key);
  }
  return {};
}

Result<void> Fsck::check_refs() {
  for (const RefKind kind : {RefKind::kLayer, RefKind::kImage, RefKind::kUser}) {
    SATCHEL_ASSIGN(const auto names, repository_.list_names(kind));
    for (const RefName& name : names) SATCHEL_TRY(check_versions(name));
  }
  return {};
}

Result<void> Fsck::check_versions(const RefName& name) {
  SATCHEL_ASSIGN(const auto numbers, repository_.list_versions(name));
  previous_.reset();
  VersionNumber expected = 1;
  for (const VersionNumber number : numbers) {
    if (number != expected) {
      previous_.reset();
      add(name.folder() + '@' + std::to_string(expected),
          {.code = ENOENT,
           .sat = Sat::kContradiction,
           .message = "missing, though version " + std::to_string(number) + " is there"},
          kRefHint);
    }
    expected = number + 1;
    ++report_.refs;
    const auto checked = check_version(name, number);
    if (checked) continue;
    previous_.reset();
    SATCHEL_TRY(add_unless_offline(name.folder() + '@' + std::to_string(number), checked.error(),
                                   kRefHint));
  }
  return {};
}

Result<void> Fsck::check_version(const RefName& name, VersionNumber number) {
  SATCHEL_ASSIGN(const RefRecord record, repository_.read_ref(name, number));
  const std::string where = name.folder() + '@' + std::to_string(number);
  if (previous_ && record.parent != *previous_) {
    add(where,
        {.code = EUCLEAN,
         .sat = Sat::kContradiction,
         .message = "does not follow the version before it"},
        kRefHint);
  }
  SATCHEL_ASSIGN(previous_, repository_.hash_ref(name, number));
  for (const RootId& root : list_roots(record.body)) SATCHEL_TRY(walk_.walk(root, where));
  return {};
}

}  // namespace

Result<FsckReport> check_repository(Repository& repository, const FsckOptions& options) {
  return Fsck(repository, options).run();
}

}  // namespace satchel::store
