#include "test/mount/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/digest.h"
#include "base/sha256.h"
#include "base/unique_fd.h"

namespace satchel::test {
namespace {

std::string error_name() {
  const char* const name = ::strerrorname_np(errno);
  return name != nullptr ? name : std::to_string(errno);
}

std::string shorten(const std::string& bytes) {
  if (bytes.size() <= 64) return bytes;
  return std::to_string(bytes.size()) + " bytes " + to_hex(sha256(as_bytes(bytes))).substr(0, 16);
}

std::string read_whole(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return error_name();
  std::string bytes;
  std::string buffer(1U << 20U, '\0');
  for (;;) {
    const ssize_t size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size < 0) return error_name();
    if (size == 0) return bytes;
    bytes.append(buffer, 0, static_cast<std::size_t>(size));
  }
}

std::vector<std::string> names_in(const std::string& path) {
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  const std::unique_ptr<DIR, Close> directory(::opendir(path.c_str()));
  if (!directory) return {error_name()};
  std::vector<std::string> names;
  while (const dirent* const item = ::readdir(directory.get())) {
    const std::string_view name = item->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string xattrs_of(const std::string& path) {
  std::array<char, 65536> list{};
  const ssize_t size = ::llistxattr(path.c_str(), list.data(), list.size());
  std::vector<std::string> lines;
  for (ssize_t at = 0; at < size;) {
    const std::string name(list.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    std::array<std::byte, 65536> value{};
    const ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    lines.push_back(
        " " + name + "=" +
        (length < 0 ? error_name() : to_hex(Bytes(value).first(static_cast<std::size_t>(length)))));
  }
  std::ranges::sort(lines);
  std::string text;
  for (const auto& line : lines) text += line;
  return text;
}

std::string attributes_of(const struct stat& stat) {
  std::array<char, 128> text{};
  // A directory's size and link count are the filesystem's own affair.
  const bool is_directory = S_ISDIR(stat.st_mode);
  (void)std::snprintf(
      text.data(), text.size(), "%06o %u:%u links=%lu size=%ld rdev=%lx", stat.st_mode, stat.st_uid,
      stat.st_gid, is_directory ? 0 : static_cast<unsigned long>(stat.st_nlink),
      is_directory ? 0 : static_cast<long>(stat.st_size), static_cast<unsigned long>(stat.st_rdev));
  return text.data();
}

}  // namespace

long Place::did(std::string_view what, long result) {
  record_.push_back(std::string(what) + " = " +
                    (result < 0 ? error_name() : std::to_string(result)));
  return result;
}

void Place::saw(std::string_view what, std::string_view value) {
  record_.push_back(std::string(what) + ": " + std::string(value));
}

void Place::write(std::string_view relative, std::string_view bytes, int flags) {
  const std::string what = "write " + std::string(relative);
  const UniqueFd fd(::open(path(relative).c_str(), flags | O_CLOEXEC, 0644));
  if (!fd.valid()) {
    did(what + " open", -1);
    return;
  }
  did(what, ::write(fd.get(), bytes.data(), bytes.size()));
}

void Place::read(std::string_view relative) {
  saw("read " + std::string(relative), shorten(read_whole(path(relative))));
}

void Place::stat(std::string_view relative) {
  struct stat stat {};
  if (::lstat(path(relative).c_str(), &stat) != 0) {
    did("stat " + std::string(relative), -1);
    return;
  }
  saw("stat " + std::string(relative), attributes_of(stat));
}

void Place::list(std::string_view relative) {
  std::string text;
  for (const auto& name : names_in(path(relative))) text += name + " ";
  saw("list " + std::string(relative), shorten(text));
}

void Place::describe(std::string_view relative) {
  describe_one(std::string(relative));
}

void Place::describe_one(const std::string& relative) {
  const std::string full = path(relative);
  struct stat stat {};
  if (::lstat(full.c_str(), &stat) != 0) {
    did("describe " + relative, -1);
    return;
  }
  std::string text = attributes_of(stat) + xattrs_of(full);
  if (S_ISREG(stat.st_mode)) text += " " + shorten(read_whole(full));
  if (S_ISLNK(stat.st_mode)) {
    std::array<char, 4096> target{};
    const ssize_t size = ::readlink(full.c_str(), target.data(), target.size());
    text += " -> " + std::string(target.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  }
  saw(relative, text);
  if (!S_ISDIR(stat.st_mode)) return;
  for (const auto& name : names_in(full)) {
    describe_one(relative.empty() ? name : relative + "/" + name);
  }
}

void as_user(Place& place, unsigned uid, unsigned gid, const std::vector<unsigned>& groups,
             void (*script)(Place&)) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    reader.reset();
    const bool changed = ::setgroups(groups.size(), groups.data()) == 0 &&
                         ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0;
    if (!changed) ::_exit(1);
    const std::size_t before = place.record().size();
    script(place);
    std::string text;
    for (std::size_t i = before; i < place.record().size(); ++i) text += place.record()[i] + "\n";
    (void)!::write(writer.get(), text.data(), text.size());
    ::_exit(0);
  }
  writer.reset();
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = ::read(reader.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  int status = 0;
  (void)::waitpid(child, &status, 0);
  place.saw("user " + std::to_string(uid), text);
  place.did("child", status);
}

}  // namespace satchel::test
