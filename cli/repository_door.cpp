#include "cli/repository_door.h"

#include <boost/filesystem.hpp>

namespace satchel::cli {

Result<HostPath> absolute_path(const HostPath& path) {
  boost::system::error_code error;
  const auto absolute = boost::filesystem::absolute(path.text, error);
  if (error) return Error{.code = error.value(), .path = path.text};
  return HostPath{absolute.lexically_normal().string()};
}

Result<store::Repository> open_repository(Session& session, const HostPath& path) {
  store::RepositoryOptions options{.index_directory = session.settings.index_directory,
                                   .temporary_directory = session.settings.temporary_directory,
                                   .device = session.settings.device};
  boost::system::error_code error;
  if (!options.index_directory.text.empty()) {
    boost::filesystem::create_directories(options.index_directory.text, error);
    // Without a place for the index, one for the length of this command has to do.
    if (error) options.index_directory.text.clear();
  }
  SATCHEL_ASSIGN(const HostPath absolute, absolute_path(path));
  return store::Repository::open(absolute, options, session.clock, session.random, session.log);
}

}  // namespace satchel::cli
