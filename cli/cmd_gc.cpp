// satchel gc REPO -n
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/repository_door.h"
#include "store/fsck.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  bool is_dry_run = false;
};

Result<Outcome> gc(Session& session, const Options& options) {
  if (!options.is_dry_run) {
    return Error{.code = EINVAL,
                 .sat = Sat::kUsage,
                 .message = "this version only counts what could be removed",
                 .hint = "run: satchel gc REPO -n"};
  }
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  SATCHEL_ASSIGN(const auto report, store::find_garbage(repository));
  Outcome outcome;
  outcome.data["packs_unreferenced"] = report.packs_unreferenced;
  outcome.data["packs_partly"] = report.packs_partly;
  outcome.data["bytes_unreferenced"] = report.bytes_unreferenced;
  outcome.data["bytes_total"] = report.bytes_total;
  outcome.data["unreferenced"] = Json::array();
  for (const store::PackId& pack : report.unreferenced) {
    outcome.data["unreferenced"].push_back(pack.hex());
  }
  outcome.text = fmt::format("{} of {} are referred to by nothing: {} packs whole, {} in part\n",
                             to_size(report.bytes_unreferenced), to_size(report.bytes_total),
                             report.packs_unreferenced, report.packs_partly);
  return outcome;
}

}  // namespace

void declare_gc(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options.add_flag("-n,--dry-run", options->is_dry_run, "Count, change nothing");
  command.action = [options](Session& session) { return gc(session, *options); };
}

}  // namespace satchel::cli
