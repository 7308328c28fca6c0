#include "store/import/host_survey.h"

#include <fcntl.h>

#include <algorithm>

#include "base/file_io.h"
#include "store/directory_names.h"
#include "store/format_error.h"
#include "store/import/host_inode.h"

namespace satchel::store {
namespace {

class Surveyor {
 public:
  Surveyor(const std::string& root_path, ImportMeter& meter)
      : root_path_(root_path), meter_(meter) {}

  /// `prefix` is the directory's path in the tree, with a '/' at its end unless it is empty.
  Result<void> visit(int fd, const std::string& prefix, const FileId& id, std::size_t depth) {
    if (depth > kImportDepthMax)
      return error_at(beyond_limit("directories too deep"), host_path(prefix));
    SATCHEL_TRY(meter_.tick());
    const auto names = list_names_sorted(fd);
    if (!names) return error_at(names.error(), host_path(prefix));
    for (const Name& name : *names) {
      const std::string path = prefix + name.text();
      struct stat status {};
      if (::fstatat(fd, name.text().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return file_error(host_path(path), "cannot look at the file");
      }
      if (!S_ISDIR(status.st_mode)) {
        note(status, path, default_file_id(id, name));
        continue;
      }
      const auto below = open_for_reading(fd, name.text(), O_DIRECTORY);
      if (!below) return error_at(below.error(), host_path(path));
      SATCHEL_TRY(visit(below->get(), path + "/", default_file_id(id, name), depth + 1));
    }
    return {};
  }

  HostSurvey take() { return std::move(survey_); }

 private:
  void note(const struct stat& status, const std::string& path, const FileId& default_id) {
    bool is_first = true;
    if (status.st_nlink > 1) {
      LinkedFile& link = survey_.links[inode_of(status)];
      is_first = link.names() == 0;
      link.add_name(path, default_id);
    }
    if (is_first && S_ISREG(status.st_mode)) {
      survey_.bytes += static_cast<std::uint64_t>(status.st_size);
    }
  }
  [[nodiscard]] std::string host_path(const std::string& path) const {
    return root_path_ + "/" + path;
  }

  const std::string& root_path_;
  ImportMeter& meter_;
  HostSurvey survey_;
};

}  // namespace

Result<std::vector<Name>> list_names_sorted(int directory_fd) {
  SATCHEL_ASSIGN(std::vector<std::string> texts, list_directory_names(directory_fd));
  std::ranges::sort(texts);
  std::vector<Name> names;
  names.reserve(texts.size());
  for (const std::string& text : texts) {
    SATCHEL_ASSIGN(Name name, Name::parse(text));
    names.push_back(std::move(name));
  }
  return names;
}

Result<HostSurvey> survey_host_tree(int root_fd, const std::string& root_path, ImportMeter& meter) {
  Surveyor surveyor(root_path, meter);
  SATCHEL_TRY(surveyor.visit(root_fd, "", root_file_id(), 0));
  return surveyor.take();
}

Error error_at(Error error, const std::string& path) {
  if (error.path.empty()) error.path = path;
  return error;
}

}  // namespace satchel::store
