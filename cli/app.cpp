#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <utility>

#include "base/fault_point.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/interruption.h"
#include "cli/output.h"

namespace satchel::cli {
namespace {

struct Verb {
  std::string_view group;  ///< empty: a verb of its own
  std::string_view name;
  std::string_view description;
  void (*declare)(const Command&);
};

constexpr std::array kVerbs = {
    Verb{"", "init", "Make a repository in a directory", declare_init},
    Verb{"", "import", "Make a layer of a directory or an archive", declare_import},
    Verb{"image", "create", "Compose layers, the lowest first, to an image", declare_image_create},
    Verb{"workspace", "create", "Make a person's workspace on an image", declare_workspace_create},
    Verb{"", "mount", "Mount a workspace, or an image read-only", declare_mount},
    Verb{"", "umount", "Unmount, and wait until the store is free", declare_umount},
    Verb{"", "sync", "Bring a mounted workspace and its repository together", declare_sync},
    Verb{"", "status", "Show what a mount is doing", declare_status},
    Verb{"", "explain", "Say what becomes of a path in a mount, and why", declare_explain},
    Verb{"rules", "check", "Find the mistakes in redirect rules", declare_rules_check},
    Verb{"rules", "show", "List the redirect rules in the order of reading", declare_rules_show},
    Verb{"rules", "test", "Replay recorded cases: paths and what rules say of them",
         declare_rules_test},
    Verb{"rules", "learn", "Run a program and propose rules for what it writes",
         declare_rules_learn},
    Verb{"rules", "reload", "Read the redirect rules of a mount again", declare_rules_reload},
    Verb{"", "log", "List the versions of a workspace", declare_log},
    Verb{"", "diff", "List the paths that differ between two trees", declare_diff},
    Verb{"", "ls", "List a directory of a user's, image's or layer's version", declare_ls},
    Verb{"", "cat", "Write a file of a version to the standard output", declare_cat},
    Verb{"", "fsck", "Check that a repository is whole", declare_fsck},
    Verb{"", "gc", "Count what nothing refers to any more", declare_gc},
};
constexpr std::array kGroups = {
    std::pair<std::string_view, std::string_view>{"image", "Images: layers composed to one tree"},
    std::pair<std::string_view, std::string_view>{"rules",
                                                  "Redirect rules: what travels, what stays"},
    std::pair<std::string_view, std::string_view>{"workspace", "Workspaces: a person's own part"},
};

/// The parser with every command in it.
class CommandLine {
 public:
  CommandLine() {
    parser_.set_help_flag("-h,--help", "Show this help");
    parser_.add_flag("--json", session_.is_json, "Write one JSON document instead of text");
    parser_.add_flag("-q,--quiet", session_.is_quiet, "No progress and no warnings");
    parser_.add_flag_function(
        "-v,--verbose",
        [this](std::int64_t count) { session_.verbosity = static_cast<unsigned>(count); },
        "Say more on stderr; twice: everything");
    parser_.add_flag("--version", wants_version_, "Show the version of this program");
    parser_.fallthrough();
    for (const auto& [name, description] : kGroups) {
      CLI::App& group = *parser_.add_subcommand(std::string(name), std::string(description));
      group.require_subcommand(1);
      group.fallthrough();
    }
    for (const Verb& verb : kVerbs) add(verb);
  }

  int run(int count, char** values) {
    try {
      parser_.parse(count, values);
    } catch (const CLI::ParseError& error) {
      return end_parsing(error);
    }
    if (wants_version_) {
      Outcome outcome;
      outcome.data["version"] = std::string(version());
      outcome.text = "satchel " + std::string(version()) + "\n";
      return print_outcome(session_, "version", outcome);
    }
    if (chosen_ == nullptr) {
      return print_failure(session_, "",
                           {.code = EINVAL,
                            .sat = Sat::kUsage,
                            .message = "no command is given",
                            .hint = "satchel --help lists them"});
    }
    return run_chosen();
  }

 private:
  struct Entry {
    std::string name;
    Action action;
  };

  void add(const Verb& verb) {
    CLI::App& parent =
        verb.group.empty() ? parser_ : *parser_.get_subcommand(std::string(verb.group));
    CLI::App& options =
        *parent.add_subcommand(std::string(verb.name), std::string(verb.description));
    options.fallthrough();
    const std::string group = verb.group.empty() ? "" : std::string(verb.group) + " ";
    auto entry = std::make_unique<Entry>(Entry{group + std::string(verb.name), {}});
    Arguments arguments(options);
    verb.declare({arguments, entry->name, entry->action});
    options.callback([this, chosen = entry.get()] { chosen_ = chosen; });
    entries_.push_back(std::move(entry));
  }

  /// --help, or options that make no sense.
  int end_parsing(const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      parser_.exit(error, std::cout, std::cerr);
      return 0;
    }
    return print_failure(session_, "",
                         {.code = EINVAL,
                          .sat = Sat::kUsage,
                          .message = error.what(),
                          .hint = "satchel --help lists commands and options"});
  }

  int run_chosen() {
    session_.log = Log::to_stderr(session_.verbosity > 1   ? LogLevel::kDebug
                                  : session_.verbosity > 0 ? LogLevel::kInfo
                                                           : LogLevel::kWarn);
    session_.settings = Settings::from_environment();
    exit_when_interrupted(interruption_text(session_, chosen_->name));
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any other thread
    if (const char* const fault = std::getenv("SATCHEL_FAULT"); fault != nullptr) {
      if (const auto set = set_fault_point(fault); !set) {
        return print_failure(session_, chosen_->name, set.error());
      }
    }
    const auto outcome = chosen_->action(session_);
    return outcome ? print_outcome(session_, chosen_->name, *outcome)
                   : print_failure(session_, chosen_->name, outcome.error());
  }

  Session session_;
  CLI::App parser_{
      "One filesystem to carry: an image and what is yours, kept equal with a repository",
      "satchel"};
  bool wants_version_ = false;
  std::vector<std::unique_ptr<Entry>> entries_;
  Entry* chosen_ = nullptr;
};

/// Whether the arguments ask for JSON, for those that cannot be parsed.
bool asks_for_json(int count, char** values) {
  const std::span arguments(values, static_cast<std::size_t>(count));
  for (const char* const argument : arguments) {
    if (std::string_view(argument) == "--json") return true;
  }
  return false;
}

}  // namespace

int run_app(int argument_count, char** argument_values) {
  try {
    return CommandLine().run(argument_count, argument_values);
  } catch (const std::exception& exception) {
    Session session;
    session.is_json = asks_for_json(argument_count, argument_values);
    return print_failure(session, "",
                         {.code = EIO,
                          .sat = Sat::kInternal,
                          .message = exception.what(),
                          .hint = "please report this"});
  }
}

}  // namespace satchel::cli
