#include "fs/mount_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/file_io.h"
#include "base/unique_fd.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kTableBytesMax = 64U << 20U;

bool is_octal(char digit) {
  return digit >= '0' && digit <= '7';
}

/// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      result.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                         (text[i + 3] - '0')));
      i += 3;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// "36 35 0:57 / /mnt rw,noatime shared:1 - fuse.satchel satchel:ada rw,…"
std::optional<MountedFilesystem> parse_line(std::string_view line) {
  const auto fields = split(line, ' ');
  const auto dash = std::ranges::find(fields, "-");
  if (dash - fields.begin() < 6 || fields.end() - dash < 3) return std::nullopt;
  return MountedFilesystem{.device = std::string(fields[2]),
                           .mount_point = {unescape(fields[4])},
                           .type = unescape(dash[1]),
                           .source = unescape(dash[2]),
                           .options = std::string(fields[5])};
}

Error not_a_mount(const HostPath& path) {
  return {.code = ENOTCONN,
          .sat = Sat::kNotAMount,
          .message = "no Satchel mount here",
          .path = path.text};
}

Result<std::string> real_path(const std::string& path) {
  struct Free {
    void operator()(char* text) const { ::free(text); }  // NOLINT: realpath(3) wants it
  };
  const std::unique_ptr<char, Free> resolved(::realpath(path.c_str(), nullptr));
  if (!resolved) return errno_error(path, "resolve the path");
  return std::string(resolved.get());
}

Result<std::string> make_absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  SATCHEL_ASSIGN(const std::string here, real_path("."));
  return here + "/" + path;
}

/// Without ".", ".." and doubled slashes, by its text alone.
std::string normalize(const std::string& absolute) {
  std::vector<std::string_view> names;
  for (const auto name : split(absolute, '/')) {
    if (name == ".") continue;
    if (name != "..") {
      names.push_back(name);
    } else if (!names.empty()) {
      names.pop_back();
    }
  }
  std::string result;
  for (const auto name : names) result.append("/").append(name);
  return result.empty() ? "/" : result;
}

}  // namespace

std::vector<MountedFilesystem> parse_mount_table(std::string_view text) {
  std::vector<MountedFilesystem> table;
  for (const auto line : split(text, '\n')) {
    if (auto mounted = parse_line(line)) table.push_back(std::move(*mounted));
  }
  return table;
}

namespace {

Result<std::vector<MountedFilesystem>> read_table(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno_error(path, "read the mount table");
  std::string text;
  std::array<char, 65'536> buffer{};
  while (text.size() < kTableBytesMax) {
    const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error(path, "read the mount table");
    if (size == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return parse_mount_table(text);
}

}  // namespace

Result<std::vector<MountedFilesystem>> read_mount_table() {
  return read_table("/proc/self/mountinfo");
}

Result<std::vector<MountedFilesystem>> read_mount_table_of(pid_t process) {
  return read_table(fmt::format("/proc/{}/mountinfo", process));
}

Result<HostPath> resolve_mount_point(const HostPath& path) {
  std::string text = path.text;
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  SATCHEL_ASSIGN(text, make_absolute(text));
  const std::size_t slash = text.rfind('/');
  const std::string name = text.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
    SATCHEL_ASSIGN(auto resolved, real_path(text));
    return HostPath{std::move(resolved)};
  }
  Result<std::string> parent = real_path(text.substr(0, slash == 0 ? 1 : slash));
  if (!parent) return std::move(parent).error();
  // The last name may be a symbolic link, unless something is mounted there: then readlink(2) says
  // EINVAL without asking the filesystem.
  const HostPath place{*parent + (*parent == "/" ? "" : "/") + name};
  std::array<char, 1> first{};
  if (::readlink(place.c_str(), first.data(), first.size()) <= 0) return place;
  SATCHEL_ASSIGN(auto resolved, real_path(place.text));
  return HostPath{std::move(resolved)};
}

Result<std::optional<MountedFilesystem>> find_mounted_at(const HostPath& mount_point) {
  SATCHEL_ASSIGN(const auto table, read_mount_table());
  const auto found = std::find_if(table.rbegin(), table.rend(), [&](const auto& mounted) {
    return mounted.mount_point == mount_point;
  });
  if (found == table.rend()) return std::optional<MountedFilesystem>();
  return std::optional(*found);
}

Result<MountedFilesystem> find_satchel_mount(const HostPath& path) {
  const auto place = resolve_mount_point(path);
  if (!place) return not_a_mount(path);
  SATCHEL_ASSIGN(auto mounted, find_mounted_at(*place));
  if (!mounted || mounted->type != kFilesystemType) return not_a_mount(path);
  return std::move(*mounted);
}

Result<PathInMount> find_satchel_mount_of(const HostPath& path) {
  SATCHEL_ASSIGN(const std::string absolute, make_absolute(path.text));
  const std::string text = normalize(absolute);
  SATCHEL_ASSIGN(const auto table, read_mount_table());
  const MountedFilesystem* best = nullptr;
  for (const auto& mounted : table) {
    const std::string& place = mounted.mount_point.text;
    const bool contains = place == "/" || text == place || text.starts_with(place + "/");
    if (contains && (best == nullptr || place.size() >= best->mount_point.text.size())) {
      best = &mounted;
    }
  }
  if (best == nullptr || best->type != kFilesystemType) return not_a_mount(path);
  const std::size_t inside = best->mount_point.text == "/" ? 0 : best->mount_point.text.size();
  SATCHEL_ASSIGN(auto relative, RelativePath::parse(text.substr(inside)));
  return PathInMount{*best, std::move(relative)};
}

}  // namespace satchel::fs
