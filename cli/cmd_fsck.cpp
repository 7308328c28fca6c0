// satchel fsck REPO [--rebuild]
#include "store/fsck.h"

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/repository_door.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  bool is_rebuild = false;
};

Outcome describe(const store::FsckReport& report, const HostPath& repository) {
  Outcome outcome;
  outcome.data["ok"] = report.ok();
  outcome.data["errors"] = Json::array();
  for (const store::FsckProblem& problem : report.problems) {
    Json line;
    line["code"] = to_text(problem.sat);
    set_text(line, "where", problem.where);
    set_text(line, "what", problem.what);
    set_text(line, "hint", problem.hint);
    outcome.data["errors"].push_back(std::move(line));
    outcome.text += fmt::format("{}  {}: {}{}{}\n", to_text(problem.sat),
                                escape_for_display(problem.where), escape_for_display(problem.what),
                                problem.hint.empty() ? "" : "; ", problem.hint);
  }
  outcome.data["refs"] = report.refs;
  outcome.data["packs"] = report.packs;
  outcome.data["entries"] = report.entries;
  outcome.data["bytes"] = report.bytes;
  outcome.text +=
      fmt::format("{} refs, {} packs, {} entries, {} checked: {}\n", report.refs, report.packs,
                  report.entries, to_size(report.bytes), report.ok() ? "no errors" : "DAMAGED");
  if (!report.ok()) {
    outcome.error =
        Error{.code = report.problems.front().sat == Sat::kCorrupted ? EBADMSG : EUCLEAN,
              .sat = report.problems.front().sat,
              .message = fmt::format("the repository has {} errors", report.problems.size()),
              .path = repository.text,
              .hint = "keep what is still good in another repository; damage does not spread"};
  }
  return outcome;
}

Result<Outcome> fsck(Session& session, const Options& options) {
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  if (options.is_rebuild) SATCHEL_TRY(repository.rebuild_index());
  ProgressLine line("checking", progress_style(session.is_quiet));
  store::FsckOptions how;
  how.progress = [&line](std::uint64_t done, std::uint64_t total) {
    line.show({.files = 0, .bytes = done, .bytes_total = total});
  };
  SATCHEL_ASSIGN(const auto report, store::check_repository(repository, how));
  return describe(report, options.repository);
}

}  // namespace

void declare_fsck(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options.add_flag("--rebuild", options->is_rebuild,
                           "First make this device's index of the repository anew");
  command.action = [options](Session& session) { return fsck(session, *options); };
}

}  // namespace satchel::cli
