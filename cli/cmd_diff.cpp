// satchel diff REPO A@N B@M
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/reference.h"
#include "cli/repository_door.h"
#include "cli/tree_lookup.h"
#include "store/diff.h"
#include "store/repository_tree_store.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  std::string first;
  std::string second;
};

std::string_view word_of(store::ChangeKind kind) {
  switch (kind) {
    case store::ChangeKind::kAdded:
      return "added";
    case store::ChangeKind::kRemoved:
      return "removed";
    case store::ChangeKind::kModified:
      return "modified";
    case store::ChangeKind::kTypeChanged:
      return "type";
    case store::ChangeKind::kAttributes:
      return "attributes";
  }
  return "modified";
}

Result<store::Root> tree_named(store::Repository& repository, store::TreeStore& trees,
                               const std::string& text) {
  SATCHEL_ASSIGN(const Reference reference, parse_reference(text));
  if (reference.path) {
    return Error{.code = EINVAL,
                 .sat = Sat::kUsage,
                 .message = "diff compares whole trees and takes no path",
                 .path = text};
  }
  SATCHEL_ASSIGN(const auto version, resolve(repository, reference));
  return tree_of(repository, trees, version);
}

Result<Outcome> diff(Session& session, const Options& options) {
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  store::RepositoryTreeStore trees(repository, nullptr, nullptr);
  SATCHEL_ASSIGN(const auto first, tree_named(repository, trees, options.first));
  SATCHEL_ASSIGN(const auto second, tree_named(repository, trees, options.second));
  Outcome outcome;
  outcome.data = Json::array();
  SATCHEL_TRY(
      store::walk_changes(trees, first, second, [&](const store::Change& change) -> Result<void> {
        const std::string_view word = word_of(change.kind);
        if (session.is_json) {
          Json line;
          set_text(line, "path", change.path.absolute());
          line["change"] = std::string(word);
          outcome.data.push_back(std::move(line));
        } else {
          outcome.text +=
              fmt::format("{:<10}  {}\n", word, escape_for_display(change.path.absolute()));
        }
        return {};
      }));
  return outcome;
}

}  // namespace

void declare_diff(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options.add_option("A@N", options->first, "A version of a user, image or layer")
      .required();
  command.options.add_option("B@M", options->second, "The version to compare it with").required();
  command.action = [options](Session& session) { return diff(session, *options); };
}

}  // namespace satchel::cli
