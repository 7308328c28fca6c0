// satchel rules learn [--mnt MNT] [--app NAME] -- PROGRAM [ARGUMENT …]
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/output.h"
#include "cli/path_watches.h"
#include "cli/round_fields.h"
#include "fs/mount_table.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath mount_point;
  std::string app;
  std::vector<std::string> program;
};

/// While it lives, an interruption from the terminal is the program's and not ours.
class InterruptionForChild {
 public:
  InterruptionForChild() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    (void)::sigaction(SIGINT, &ignore, &interrupt_);  // fails for unknown signals only
    (void)::sigaction(SIGQUIT, &ignore, &quit_);
  }
  ~InterruptionForChild() { restore(); }
  InterruptionForChild(const InterruptionForChild&) = delete;
  InterruptionForChild& operator=(const InterruptionForChild&) = delete;
  void restore() const {
    (void)::sigaction(SIGINT, &interrupt_, nullptr);
    (void)::sigaction(SIGQUIT, &quit_, nullptr);
  }

 private:
  struct sigaction interrupt_ {};
  struct sigaction quit_ {};
};

/// What it writes to its stdout goes to stderr: ours is for the rules. The result is its exit code,
/// or 128 and the signal that ended it. Errors: ENOENT, EACCES, EAGAIN.
Result<int> run_program(const std::vector<std::string>& program) {
  std::vector<char*> arguments;
  arguments.reserve(program.size() + 1);
  for (const std::string& argument : program) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // execvp(3) changes nothing
  }
  arguments.push_back(nullptr);
  const InterruptionForChild signals;
  constexpr int kCannotRun = 127;
  const pid_t child = ::fork();
  if (child < 0) return Error{.code = errno, .message = "cannot start a process"};
  if (child == 0) {
    signals.restore();
    (void)::dup2(STDERR_FILENO, STDOUT_FILENO);
    ::execvp(arguments.front(), arguments.data());
    ::_exit(kCannotRun);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code == kCannotRun) {
    return Error{.code = ENOENT,
                 .sat = Sat::kNotFound,
                 .message = "the program cannot be run",
                 .path = program.front()};
  }
  return code;
}

Result<std::string> find_device(const Options& options) {
  if (!options.mount_point.text.empty()) {
    SATCHEL_ASSIGN(const auto mount, fs::find_satchel_mount(options.mount_point));
    return mount.device;
  }
  auto place = fs::find_satchel_mount_of({"."});
  if (!place) {
    place.error().hint = "run it in a directory of a mount, or name the mount: --mnt MNT";
    return std::move(place).error();
  }
  return place->mount.device;
}

std::string app_of(const Options& options) {
  if (!options.app.empty()) return policies::plain_name_of(options.app);
  const std::string& program = options.program.front();
  const std::size_t slash = program.rfind('/');
  return policies::plain_name_of(slash == std::string::npos ? program : program.substr(slash + 1));
}

Json to_json(const policies::RuleAdvice& advice) {
  Json data;
  data["rules"] = Json::array();
  for (const policies::ProposedRule& rule : advice.rules) {
    Json line;
    set_text(line, "rule", rule.rule);
    set_text(line, "reason", rule.reason);
    line["is_doubtful"] = rule.is_doubtful;
    line["paths"] = rule.paths;
    data["rules"].push_back(std::move(line));
  }
  data["others"] = Json::array();
  for (const auto& [directory, count] : advice.others) {
    Json line;
    set_text(line, "directory", directory);
    line["paths"] = count;
    data["others"].push_back(std::move(line));
  }
  data["decided"] = advice.decided;
  return data;
}

Result<Outcome> learn(const Session& session, const Options& options) {
  SATCHEL_ASSIGN(const std::string device, find_device(options));
  SATCHEL_ASSIGN(const auto begun, ask_device(session.settings, device, {"watch_begin", {}}));
  SATCHEL_ASSIGN(const int code, run_program(options.program));
  SATCHEL_ASSIGN(const auto fields, ask_device(session.settings, device, {"watch_end", begun}));
  const auto seen = seen_paths(fields);
  SATCHEL_ASSIGN(const auto home, RelativePath::parse(fs::find_field(fields, "home")));
  const policies::RuleAdvice advice = policies::advise_rules(seen, home);
  const std::string app = app_of(options);
  Outcome outcome;
  outcome.text = policies::rule_file_text(advice, app);
  outcome.data = to_json(advice);
  outcome.data["app"] = app;
  outcome.data["paths"] = seen.size();
  outcome.data["exit_code"] = code;
  if (code != 0) outcome.warnings.push_back(fmt::format("the program ended with {}", code));
  const std::uint64_t left_out = find_number(fields, "left_out");
  if (left_out > 0) {
    outcome.warnings.push_back(fmt::format("{} changes of more paths were not kept", left_out));
  }
  return outcome;
}

}  // namespace

void declare_rules_learn(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("--mnt", options->mount_point.text,
                             "Watch this mount; without: the one that the current directory is in");
  command.options
      .add_option("--app", options->app, "Call the block so; without: as the program is called")
      .type_name("NAME");
  command.options
      .add_option("PROGRAM", options->program, "What to run, with its arguments, after --")
      .required();
  command.action = [options](Session& session) { return learn(session, *options); };
}

}  // namespace satchel::cli
