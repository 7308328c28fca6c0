#include "policies/rule_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/digest.h"
#include "base/file_io.h"
#include "base/unique_fd.h"

namespace satchel::policies {
namespace {

constexpr std::string_view kSuffix = ".rules";

std::string_view file_name_of(const RuleFile& file) {
  const std::string_view name = file.name;
  return name.substr(name.rfind('/') + 1);
}

/// The names that end in ".rules", sorted.
Result<std::vector<Name>> list_names(int dir_fd, const HostPath& path) {
  // fdopendir() takes its descriptor over, and `dir_fd` is only borrowed.
  UniqueFd own(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own.valid()) return file_error(path.text, "cannot open the directory");
  const auto close = [](DIR* directory) { (void)closedir(directory); };  // opened to read only
  const std::unique_ptr<DIR, decltype(close)> directory(fdopendir(own.get()), close);
  if (!directory) return file_error(path.text, "cannot read the directory");
  (void)own.release();  // the DIR closes it
  std::vector<Name> names;
  errno = 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of its own
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view text = &entry->d_name[0];
    if (text.ends_with(kSuffix) && !text.starts_with('.')) names.push_back(Name::checked(text));
    errno = 0;
  }
  if (errno != 0) return file_error(path.text, "cannot read the directory");
  std::ranges::sort(names);
  return names;
}

bool is_link_to_nothing(int dir_fd, const Name& name) {
  static constexpr std::string_view kNothing = "/dev/null";
  std::array<char, kNothing.size() + 1> target{};
  const ssize_t size = readlinkat(dir_fd, name.text().c_str(), target.data(), target.size());
  return size >= 0 && std::string_view(target.data(), static_cast<std::size_t>(size)) == kNothing;
}

Result<std::string> read_text(int dir_fd, const Name& name, const HostPath& path) {
  if (is_link_to_nothing(dir_fd, name)) return std::string();
  Result<std::vector<std::byte>> bytes = read_file(dir_fd, name, RuleFileLimits::kFileBytesMax);
  if (bytes) return std::string(as_text(*bytes));
  Error error = std::move(bytes).error();
  error.path = path.text;
  if (error.code == EFBIG) error.sat = Sat::kRuleSyntax;
  if (error.code == ELOOP) {
    error.code = EINVAL;
    error.sat = Sat::kRuleSyntax;
    error.message = "a rule file is a symbolic link";
    error.hint = "copy the file here; only a link to /dev/null is followed, as an empty file";
  }
  return error;
}

}  // namespace

Result<std::vector<RuleFile>> read_rule_files(std::span<const RuleDirectory> directories) {
  std::vector<RuleFile> files;
  for (const RuleDirectory& directory : directories) {
    const UniqueFd fd(open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) {
      if (errno == ENOENT) continue;
      return file_error(directory.path.text, "cannot open the directory");
    }
    SATCHEL_ASSIGN(const std::vector<Name> names, list_names(fd.get(), directory.path));
    for (const Name& name : names) {
      if (files.size() == RuleDirectoryLimits::kFilesMax) {
        return Error{.code = EFBIG,
                     .sat = Sat::kRuleSyntax,
                     .message = "more than " + std::to_string(RuleDirectoryLimits::kFilesMax) +
                                " rule files",
                     .path = directory.path.text};
      }
      const HostPath path = directory.path / name.text();
      SATCHEL_ASSIGN(std::string text, read_text(fd.get(), name, path));
      files.push_back({.name = path.text, .owner = directory.owner, .text = std::move(text)});
    }
  }
  return files;
}

std::vector<RuleFile> arrange_rule_files(std::vector<RuleFile> files) {
  std::vector<RuleFile> arranged;
  for (RuleFile& file : files) {
    const auto namesake = std::ranges::find_if(arranged, [&](const RuleFile& other) {
      return other.owner != Owner::kPerson && file_name_of(other) == file_name_of(file);
    });
    if (file.owner == Owner::kPerson || namesake == arranged.end()) {
      arranged.push_back(std::move(file));
    } else {
      *namesake = std::move(file);
    }
  }
  std::ranges::stable_sort(arranged, [](const RuleFile& a, const RuleFile& b) {
    const bool a_is_person = a.owner == Owner::kPerson;
    const bool b_is_person = b.owner == Owner::kPerson;
    return std::pair(file_name_of(a), a_is_person) < std::pair(file_name_of(b), b_is_person);
  });
  return arranged;
}

}  // namespace satchel::policies
