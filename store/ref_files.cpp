#include "store/ref_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/fault_point.h"
#include "base/file_io.h"
#include "store/commit_lock.h"
#include "store/directory_names.h"

namespace satchel::store {
namespace {

std::string folder_of(RefKind kind) {
  switch (kind) {
    case RefKind::kLayer:
      return "refs/layers";
    case RefKind::kImage:
      return "refs/images";
    case RefKind::kUser:
      break;
  }
  return "refs/users";
}

Result<RefName> parse_name(RefKind kind, std::string_view text) {
  switch (kind) {
    case RefKind::kLayer:
      return RefName::layer(text);
    case RefKind::kImage:
      return RefName::image(text);
    case RefKind::kUser:
      break;
  }
  return RefName::user(text);
}

/// 1, 2, …: no sign, no leading zero, nothing after it.
std::optional<VersionNumber> parse_number(std::string_view text) {
  if (text.empty() || text.front() == '0') return std::nullopt;
  VersionNumber number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

/// Removes the temporary record, if it is still there.
class RemoveAtEnd {
 public:
  explicit RemoveAtEnd(HostPath path) : path_(std::move(path)) {}
  RemoveAtEnd(const RemoveAtEnd&) = delete;
  RemoveAtEnd& operator=(const RemoveAtEnd&) = delete;
  ~RemoveAtEnd() { (void)::unlink(path_.c_str()); }  // a leftover is removed by a later writer

 private:
  HostPath path_;
};

}  // namespace

Error lost_race_error(const std::string& folder, VersionNumber number) {
  return {.code = EAGAIN,
          .sat = Sat::kLostRace,
          .message = "version " + std::to_string(number) + " was committed by another device",
          .path = folder,
          .hint = "take it in and try again"};
}

HostPath RefFiles::path_of(const std::string& folder, VersionNumber number) const {
  return folder_.path() / "refs" / folder / std::to_string(number);
}

HostPath RefFiles::temporary_path(const NewRef& ref) const {
  return folder_.path() / "refs/tmp" / ref.nonce;
}

Result<std::vector<std::string>> RefFiles::list_folders(const std::string& below) const {
  auto names = list_directory_names(folder_.path() / below);
  if (!names && names.error().code == ENOENT) return std::vector<std::string>{};
  return names;
}

Result<std::vector<RefName>> RefFiles::list_names(RefKind kind) const {
  const std::string root = folder_of(kind);
  SATCHEL_ASSIGN(auto texts, list_folders(root));
  if (kind == RefKind::kLayer) {
    std::vector<std::string> layers;
    for (const std::string& layer_kind : texts) {
      SATCHEL_ASSIGN(const auto below, list_folders(fmt::format("{}/{}", root, layer_kind)));
      for (const std::string& name : below)
        layers.push_back(fmt::format("{}/{}", layer_kind, name));
    }
    texts = std::move(layers);
  }
  std::vector<RefName> names;
  for (const std::string& text : texts) {
    const auto name = parse_name(kind, text);
    if (!name) continue;  // not ours, like lost+found
    SATCHEL_ASSIGN(const auto versions, list_versions(name->folder()));
    if (!versions.empty()) names.push_back(*name);  // else a first commit that never came to be
  }
  std::ranges::sort(names);
  return names;
}

Result<std::vector<VersionNumber>> RefFiles::list_versions(const std::string& folder) const {
  SATCHEL_ASSIGN(const auto texts, list_folders("refs/" + folder));
  std::vector<VersionNumber> numbers;
  for (const std::string& text : texts) {
    if (const auto number = parse_number(text)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

Result<std::optional<VersionNumber>> RefFiles::head(const std::string& folder) const {
  SATCHEL_ASSIGN(const auto numbers, list_versions(folder));
  VersionNumber newest = numbers.empty() ? 0 : numbers.back();
  struct stat status {};
  while (::stat(path_of(folder, newest + 1).c_str(), &status) == 0) ++newest;
  if (errno != ENOENT) {
    return file_error(path_of(folder, newest + 1).text, "cannot look for the newest version");
  }
  return newest == 0 ? std::nullopt : std::optional(newest);
}

Result<std::vector<std::byte>> RefFiles::read(const std::string& folder,
                                              VersionNumber number) const {
  SATCHEL_ASSIGN(const UniqueFd directory, folder_.open_directory("refs/" + folder));
  auto bytes = read_file(directory.get(), Name::checked(std::to_string(number)), kRecordBytesMax);
  if (!bytes) bytes.error().path = path_of(folder, number).text;
  return bytes;
}

Result<void> RefFiles::commit(const NewRef& ref, LinkSupport links) const {
  SATCHEL_ASSIGN(const UniqueFd refs, folder_.open_directory("refs"));
  SATCHEL_ASSIGN(const RelativePath relative, RelativePath::parse(ref.folder));
  SATCHEL_ASSIGN(const UniqueFd directory, make_directories_at(refs.get(), relative, 0777));

  const RemoveAtEnd remove_temporary(temporary_path(ref));
  SATCHEL_TRY(write_temporary(ref));
  SATCHEL_TRY(fault_point("ref.link"));
  SATCHEL_TRY(links == LinkSupport::kPresent ? link_into_place(ref) : rename_into_place(ref));
  SATCHEL_TRY(fsync_at_fault_point("ref.fsync", directory.get()));
  if (ref.number > 1) return {};
  // Whoever made these folders, it is the first version that makes them count.
  for (RelativePath above = relative; !above.is_root(); above = above.parent()) {
    SATCHEL_ASSIGN(const UniqueFd parent,
                   open_beneath(refs.get(), above.parent(), O_RDONLY | O_DIRECTORY));
    SATCHEL_TRY(fsync_directory(parent.get()));
  }
  return {};
}

Result<void> RefFiles::write_temporary(const NewRef& ref) const {
  const HostPath path = temporary_path(ref);
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!fd.valid()) return file_error(path.text, "cannot write a record");
  SATCHEL_TRY(fault_point("ref.write"));
  SATCHEL_TRY(pwrite_all(fd.get(), ref.record, 0));
  return fsync_at_fault_point("ref.fsync", fd.get());
}

Result<void> RefFiles::link_into_place(const NewRef& ref) const {
  const HostPath to = path_of(ref.folder, ref.number);
  if (::link(temporary_path(ref).c_str(), to.c_str()) == 0) return {};
  // EEXIST may be our own link, done by a request whose answer was lost; any other error too.
  const Error failed = file_error(to.text, "cannot commit a record");
  auto settled = settle_race(ref);
  if (!settled && settled.error().code == ENOENT) return failed;
  return settled;
}

Result<void> RefFiles::rename_into_place(const NewRef& ref) const {
  SATCHEL_ASSIGN(const CommitLock lock, CommitLock::take(folder_.path(), ref.nonce));
  // rename() replaces, so nobody else may be between this look and it.
  auto taken = settle_race(ref);
  if (taken || taken.error().code != ENOENT) return taken;
  SATCHEL_TRY(lock.check());
  const HostPath to = path_of(ref.folder, ref.number);
  if (::rename(temporary_path(ref).c_str(), to.c_str()) != 0) {
    return file_error(to.text, "cannot commit a record");
  }
  // Before the lock is let go: the next one must find it whatever happens to this host.
  SATCHEL_ASSIGN(const UniqueFd directory, folder_.open_directory("refs/" + ref.folder));
  return fsync_directory(directory.get());
}

/// Whose record stands under the number. Errors: EAGAIN (kLostRace), ENOENT (nobody's).
Result<void> RefFiles::settle_race(const NewRef& ref) const {
  SATCHEL_ASSIGN(const auto found, read(ref.folder, ref.number));
  if (found == ref.record) return {};  // the nonce is in it, so it is ours
  return lost_race_error(ref.folder, ref.number);
}

}  // namespace satchel::store
