// satchel init REPO
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/repository_door.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
};

Result<Outcome> init(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const HostPath path, absolute_path(options.repository));
  SATCHEL_ASSIGN(
      const auto repository,
      store::Repository::create(path,
                                {.index_directory = {},
                                 .temporary_directory = session.settings.temporary_directory,
                                 .device = session.settings.device},
                                session.clock, session.random, session.log));
  Outcome outcome;
  set_text(outcome.data, "repository", path.text);
  outcome.data["id"] = repository.id().hex();
  outcome.text = fmt::format("{}: a new repository, id {}\n", escape_for_display(path.text),
                             repository.id().hex());
  return outcome;
}

}  // namespace

void declare_init(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options
      .add_option("REPO", options->repository.text, "An empty directory, or one to be made")
      .required();
  command.action = [options](Session& session) { return init(session, *options); };
}

}  // namespace satchel::cli
