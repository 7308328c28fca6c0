// satchel log REPO USER
#include <fmt/format.h>

#include <memory>
#include <variant>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/repository_door.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  std::string user;
};

Result<Outcome> log(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const auto user, store::RefName::user(options.user));
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  SATCHEL_ASSIGN(const auto versions, repository.list_versions(user));
  if (versions.empty()) {
    return Error{.code = ENOENT,
                 .sat = Sat::kNotFound,
                 .message = "the repository has no workspace of this name",
                 .path = user.text()};
  }
  Outcome outcome;
  outcome.data = Json::array();
  for (auto number = versions.rbegin(); number != versions.rend(); ++number) {
    SATCHEL_ASSIGN(const auto record, repository.read_ref(user, *number));
    const auto& body = std::get<store::UserBody>(record.body);
    Json line;
    line["version"] = *number;
    set_text(line, "device", record.device);
    line["time"] = to_time(record.time);
    set_text(line, "message", record.message);
    line["bytes_new"] = body.bytes_new;
    line["image"] = fmt::format("{}@{}", body.image_name, body.image_number);
    outcome.text +=
        fmt::format("{}@{:<5} {}  {:>10}  {}@{}  {}{}{}\n", user.text(), *number,
                    to_local_time(record.time), to_size(body.bytes_new), body.image_name,
                    body.image_number, escape_for_display(record.device),
                    record.message.empty() ? "" : "  ", escape_for_display(record.message));
    outcome.data.push_back(std::move(line));
  }
  return outcome;
}

}  // namespace

void declare_log(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options.add_option("USER", options->user, "The person's name").required();
  command.action = [options](Session& session) { return log(session, *options); };
}

}  // namespace satchel::cli
