// satchel workspace create REPO USER --image NAME@N
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/reference.h"
#include "cli/repository_door.h"
#include "syncer/publish.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  std::string user;
  std::string image;
};

Result<Outcome> create_workspace(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const auto user, store::RefName::user(options.user));
  SATCHEL_ASSIGN(const auto image, parse_image_version(options.image));
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  SATCHEL_ASSIGN(const auto published, syncer::publish_workspace(repository, user, image));
  Outcome outcome;
  outcome.data["name"] = user.text();
  outcome.data["version"] = published.version;
  outcome.data["root"] = published.root.hex();
  outcome.text = fmt::format("{}@{}  on {}@{}\n", user.text(), published.version, image.name.text(),
                             image.number);
  return outcome;
}

}  // namespace

void declare_workspace_create(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options.add_option("USER", options->user, "The person's name").required();
  command.options.add_option("--image", options->image, "The image that the workspace stands on")
      .type_name("NAME@N")
      .required();
  command.action = [options](Session& session) { return create_workspace(session, *options); };
}

}  // namespace satchel::cli
