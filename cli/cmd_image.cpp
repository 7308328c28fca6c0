// satchel image create REPO NAME --layer L@N …
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/reference.h"
#include "cli/repository_door.h"
#include "store/repository_tree_store.h"
#include "syncer/publish.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  std::string name;
  std::vector<std::string> layers;
};

Result<Outcome> create_image(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const auto name, store::RefName::image(options.name));
  std::vector<syncer::RefVersion> layers;
  for (const std::string& text : options.layers) {
    SATCHEL_ASSIGN(auto layer, parse_layer_version(text));
    layers.push_back(std::move(layer));
  }
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  store::Upload upload(repository);
  store::RepositoryTreeStore trees(repository, nullptr, &upload);
  SATCHEL_ASSIGN(const auto published,
                 syncer::publish_image(repository, upload, trees, name, layers));
  Outcome outcome;
  outcome.data["name"] = name.text();
  outcome.data["version"] = published.version;
  outcome.data["root"] = published.root.hex();
  outcome.data["new"] = published.is_new;
  outcome.text =
      fmt::format("{}@{}  {} layers, root {}{}\n", name.text(), published.version, layers.size(),
                  published.root.hex().substr(0, 16), published.is_new ? "" : "; unchanged");
  return outcome;
}

}  // namespace

void declare_image_create(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options.add_option("NAME", options->name, "The image's name").required();
  command.options
      .add_option("--layer", options->layers, "A layer's version; repeatable, the lowest first")
      .type_name("KIND/NAME@N")
      .required()
      .repeatable();
  command.action = [options](Session& session) { return create_image(session, *options); };
}

}  // namespace satchel::cli
