// What a command is: options to be filled, and an action with an outcome.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "cli/arguments.h"
#include "cli/settings.h"

namespace satchel::cli {

/// Members in the order in which they are written.
using Json = nlohmann::ordered_json;

/// What a command has to say when it has done its work.
struct Outcome {
  Json data = Json::object();         ///< with --json
  std::string text;                   ///< for people, without: ends with a newline, may be empty
  std::vector<std::string> warnings;  ///< for people on stderr
  /// The work was done, and it calls for attention: conflicts, damage that fsck found.
  std::optional<Error> error;
};

/// What commands share; made once by the app.
struct Session {
  bool is_json = false;
  bool is_quiet = false;
  unsigned verbosity = 0;
  Settings settings;
  SystemClock clock;
  SystemRandom random;
  Log log = Log::to_stderr(LogLevel::kWarn);
};

using Action = std::function<Result<Outcome>(Session&)>;

/// A sub-command in the making. `name` is as people type it: "image create".
struct Command {
  Arguments& options;
  std::string name;
  Action& action;  ///< to be set when options are declared
};

// One for each file cmd_*.cpp: declares the options and sets the action.
void declare_cat(const Command& command);
void declare_diff(const Command& command);
void declare_explain(const Command& command);
void declare_fsck(const Command& command);
void declare_gc(const Command& command);
void declare_image_create(const Command& command);
void declare_import(const Command& command);
void declare_init(const Command& command);
void declare_log(const Command& command);
void declare_ls(const Command& command);
void declare_mount(const Command& command);
void declare_rules_check(const Command& command);
void declare_rules_learn(const Command& command);
void declare_rules_reload(const Command& command);
void declare_rules_show(const Command& command);
void declare_rules_test(const Command& command);
void declare_status(const Command& command);
void declare_sync(const Command& command);
void declare_umount(const Command& command);
void declare_workspace_create(const Command& command);

}  // namespace satchel::cli
