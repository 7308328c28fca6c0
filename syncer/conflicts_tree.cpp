#include "syncer/conflicts_tree.h"

#include <fmt/format.h>

#include <ctime>
#include <optional>
#include <vector>

#include "store/directory.h"

namespace satchel::syncer {
namespace {

using store::DirectoryEdit;
using store::DirectoryRef;
using store::Entry;
using store::Root;
using store::RootId;
using store::TreeStore;

constexpr std::string_view kTimeForm = "0000-00-00T00:00:00Z";
constexpr std::size_t kDepthMax = 4096;

/// The time that a folder of losers ends with; nullopt if it was named by somebody else.
std::optional<std::int64_t> time_of_folder(std::string_view name) {
  if (name.size() < kTimeForm.size()) return std::nullopt;
  const std::string text(name.substr(name.size() - kTimeForm.size()));
  std::tm parts{};
  const char* const end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

/// The same entries as copies: without file ids and links.
Result<DirectoryRef> copy_directory(TreeStore& trees, const store::PageId& page,
                                    std::size_t depth) {
  if (depth > kDepthMax) {
    return Error{
        .code = EUCLEAN, .sat = Sat::kLimit, .message = "losers are nested deeper than 4096"};
  }
  store::DirectoryBuilder builder(trees);
  SATCHEL_ASSIGN(auto cursor, store::DirectoryCursor::begin(trees, page));
  while (!cursor.at_end()) {
    Entry entry = cursor.entry();
    entry.file_id.reset();
    entry.linked = false;
    if (entry.is_directory()) {
      SATCHEL_ASSIGN(entry.directory, copy_directory(trees, entry.directory.page, depth + 1));
    }
    SATCHEL_TRY(builder.append(entry));
    SATCHEL_TRY(cursor.next());
  }
  return builder.finish();
}

/// Two rounds of one machine in one second: the machine's name gets a number.
Result<Name> free_folder_name(TreeStore& trees, const Root& conflicts, const LosersOf& round) {
  for (unsigned count = 1;; ++count) {
    const std::string number = count == 1 ? "" : fmt::format("-{}", count);
    SATCHEL_ASSIGN(const Name name,
                   Name::parse(round.machine_id + number + "-" + to_rfc3339(round.time)));
    SATCHEL_ASSIGN(const auto taken, store::find_entry(trees, conflicts.directory.page, name));
    if (!taken) return name;
  }
}

}  // namespace

std::string to_rfc3339(const Timestamp& time) {
  const std::time_t seconds = time.seconds;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Result<RootId> update_conflicts_tree(TreeStore& trees, const RootId& previous, const Root& losers,
                                     const LosersOf& round) {
  Root conflicts = store::empty_tree();
  std::vector<DirectoryEdit> old;
  if (!previous.is_none()) {
    SATCHEL_ASSIGN(conflicts, trees.get_root(previous));
    SATCHEL_ASSIGN(auto cursor, store::DirectoryCursor::begin(trees, conflicts.directory.page));
    while (!cursor.at_end()) {
      const auto time = time_of_folder(cursor.entry().name.text());
      if (time && *time < round.time.seconds - kLoserSecondsMin) {
        old.push_back({cursor.entry().name, std::nullopt});
      }
      SATCHEL_TRY(cursor.next());
    }
  }
  if (!old.empty()) {
    SATCHEL_ASSIGN(conflicts.directory,
                   store::edit_directory(trees, conflicts.directory.page, old));
  }
  if (losers.directory.page != store::empty_directory_page()) {
    SATCHEL_ASSIGN(const Name name, free_folder_name(trees, conflicts, round));
    Entry folder;
    folder.name = name;
    folder.kind = store::Kind::kDirectory;
    folder.attributes = losers.attributes;
    folder.attributes.mtime = round.time;
    SATCHEL_ASSIGN(folder.directory, copy_directory(trees, losers.directory.page, 0));
    const DirectoryEdit edit{name, folder};
    SATCHEL_ASSIGN(conflicts.directory,
                   store::edit_directory(trees, conflicts.directory.page, {&edit, 1}));
  }
  if (conflicts.directory.page == store::empty_directory_page()) return RootId{};
  return trees.put_root(conflicts);
}

}  // namespace satchel::syncer
