// The command line: global options, one sub-command for each verb, and how a command ends.
#pragma once

namespace satchel::cli {

/// Runs the command that the arguments name and prints its outcome. Returns the exit code.
int run_app(int argument_count, char** argument_values);

}  // namespace satchel::cli
