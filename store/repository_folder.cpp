#include "store/repository_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "base/file_io.h"
#include "store/directory_names.h"
#include "store/format_error.h"

namespace satchel::store {
namespace {

constexpr std::string_view kFormatFile = "format";
constexpr std::size_t kFormatBytesMax = 4096;
constexpr std::string_view kTitle = "satchel repository ";
constexpr std::string_view kVersion = "0";
constexpr std::string_view kIdKey = "id ";
constexpr std::string_view kNames = "names sha256";
constexpr std::string_view kChunker = "chunker fastcdc 4096 16384 131072";
constexpr std::array<std::string_view, 2> kTemporaryFolders = {"packs/tmp", "refs/tmp"};

// What the root directory answers when the thing it is on has gone.
constexpr std::array kGone = {ENOTCONN, ESTALE, EIO,       EHOSTDOWN,  EHOSTUNREACH,
                              ENODEV,   ENXIO,  ETIMEDOUT, ENETUNREACH};

bool is_gone(int code) {
  return std::ranges::find(kGone, code) != kGone.end();
}

Error offline_error(const HostPath& path) {
  return {.code = ENETUNREACH,
          .sat = Sat::kOffline,
          .message = "the repository cannot be reached",
          .path = path.text,
          .hint = "changes are kept here until it is back"};
}

Error not_a_repository(const HostPath& path) {
  return {.code = ENOENT,
          .sat = Sat::kNotARepository,
          .message = "no repository here",
          .path = path.text,
          .hint = "make one with: satchel init " + path.text};
}

std::string encode_format(const RepositoryId& id) {
  std::string text;
  for (const std::string& line :
       {std::string(kTitle) + std::string(kVersion), std::string(kIdKey) + id.hex(),
        std::string(kNames), std::string(kChunker)}) {
    text += line + '\n';
  }
  return text;
}

Result<RepositoryId> parse_id(std::string_view hex) {
  RepositoryId id;
  const bool is_hex = std::ranges::all_of(hex, [](char digit) {
    return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
  });
  if (hex.size() != 2 * id.bytes.size() || !is_hex) {
    return contradiction("the format file holds no repository id");
  }
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    unsigned value = 0;
    (void)std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, value, 16);  // is_hex
    id.bytes[i] = static_cast<std::byte>(value);
  }
  return id;
}

Result<RepositoryId> decode_format(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return contradiction("the format file is cut short");
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (lines.empty() || !lines[0].starts_with(kTitle)) {
    return contradiction("the format file does not start with its title");
  }
  if (const auto version = lines[0].substr(kTitle.size()); version != kVersion) {
    return newer_format("version '" + escape_for_display(version) + "' of a repository");
  }
  std::optional<RepositoryId> id;
  for (const std::string_view line : std::span(lines).subspan(1)) {
    if (line.starts_with(kIdKey) && !id) {
      SATCHEL_ASSIGN(id, parse_id(line.substr(kIdKey.size())));
    } else if (line != kNames && line != kChunker) {
      return newer_format("line '" + escape_for_display(line) + "' in a repository's format");
    }
  }
  if (!id) return contradiction("the format file holds no repository id");
  return *id;
}

/// Nothing but what make_repository_folder() itself makes before the format file.
Result<bool> holds_nothing(const HostPath& path) {
  SATCHEL_ASSIGN(const auto names, list_directory_names(path));
  for (const std::string& name : names) {
    if (name == "lost+found" || name.starts_with(kTemporaryPrefix)) continue;
    if (name != "packs" && name != "refs") return false;
    SATCHEL_ASSIGN(const auto below, list_directory_names(path / name));
    if (std::ranges::any_of(below, [](const auto& inner) { return inner != "tmp"; })) return false;
  }
  return true;
}

Result<void> make_root(const HostPath& path) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path.text).parent_path(), failed);
  // The owner's alone until he says otherwise: packs hold the bytes of files that others may not
  // read.
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return file_error(path.text, "cannot make the repository's directory");
}

/// Errors of stat() and open() on the root itself, when a repository is first looked for.
Error first_look_error(const HostPath& path) {
  if (errno == ENOENT || errno == ENOTDIR) return not_a_repository(path);
  if (is_gone(errno)) return offline_error(path);
  return file_error(path.text, "cannot open the repository");
}

}  // namespace

Result<void> make_repository_folder(const HostPath& path, const RepositoryId& id) {
  SATCHEL_TRY(make_root(path));
  SATCHEL_ASSIGN(const bool is_free, holds_nothing(path));
  if (!is_free) {
    return Error{.code = EEXIST,
                 .sat = Sat::kAlreadyExists,
                 .message = "the directory is not empty",
                 .path = path.text};
  }
  const UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return file_error(path.text, "cannot open the repository's directory");
  for (const std::string_view folder : kTemporaryFolders) {
    SATCHEL_ASSIGN(const RelativePath relative, RelativePath::parse(folder));
    SATCHEL_TRY(make_directories_at(root.get(), relative, 0777));
  }
  const std::string format = encode_format(id);
  SATCHEL_TRY(write_file_durably(root.get(), Name::checked(kFormatFile), as_bytes(format), 0644));
  const UniqueFd parent(::openat(root.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid()) return file_error(path.text, "cannot open the directory above");
  return fsync_directory(parent.get());
}

Result<RepositoryId> read_repository_format(const HostPath& path) {
  const UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return first_look_error(path);
  auto bytes = read_file(root.get(), Name::checked(kFormatFile), kFormatBytesMax);
  if (!bytes) {
    if (bytes.error().code == ENOENT) return not_a_repository(path);
    if (is_gone(bytes.error().code)) return offline_error(path);
    bytes.error().path = (path / kFormatFile).text;
    return std::move(bytes).error();
  }
  auto id = decode_format(as_text(*bytes));
  if (!id) id.error().path = (path / kFormatFile).text;
  return id;
}

Result<void> RepositoryFolder::check() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return offline_error(path_);
  const Identity found{status.st_dev, status.st_ino};
  if (*verified_.lock() == found) return {};
  const auto id = read_repository_format(path_);
  if (!id) return offline_error(path_);
  if (*id != id_) {
    return Error{
        .code = EUCLEAN,
        .sat = Sat::kWrongRepository,
        .message = "another repository is here now, " + id->hex() + " and not " + id_.hex(),
        .path = path_.text};
  }
  *verified_.lock() = found;
  return {};
}

Result<UniqueFd> RepositoryFolder::open_directory(std::string_view below) const {
  const HostPath path = path_ / below;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return file_error(path.text, "cannot open the directory");
  return fd;
}

Error RepositoryFolder::explain(Error error) const {
  if (!error.path.empty() && !error.path.starts_with(path_.text))
    return error;  // of the index, say
  if (is_full(error)) {
    error.path = path_.text;
    error.hint = "make room there; everything committed is safe";
    return error;
  }
  if (error.code == EROFS) return read_only_error();
  if (error.code == ENOENT || error.code == ENOTDIR || is_gone(error.code)) {
    const auto there = check();
    if (!there) return there.error();
  }
  if (error.path.empty()) error.path = path_.text;
  return error;
}

Error RepositoryFolder::read_only_error() const {
  return {.code = EROFS,
          .sat = Sat::kReadOnly,
          .message = "the repository cannot be written",
          .path = path_.text,
          .hint = "check how it is mounted and who may write there"};
}

}  // namespace satchel::store
