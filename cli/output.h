// How outcomes and errors are shown: JSON's envelope on stdout, or text on stdout and stderr.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "cli/command.h"

namespace satchel::cli {

/// Prints; the exit code.
int print_outcome(const Session& session, const std::string& command, const Outcome& outcome);
int print_failure(const Session& session, const std::string& command, const Error& error);
/// What print_failure() would print of an interruption, ready to be written by a signal handler.
std::string interruption_text(const Session& session, const std::string& command);

/// Sets `key`, or `key`_b64 if `bytes` are not UTF-8.
void set_text(Json& object, const std::string& key, std::string_view bytes);
bool is_utf8(std::string_view bytes);
std::string to_base64(std::string_view bytes);

/// "4.2 MiB".
std::string to_size(std::uint64_t bytes);
/// "2026-05-01T07:00:00.000000000Z": RFC 3339 with all that is known.
std::string to_time(const Timestamp& time);
/// "2026-05-01 09:00:00", this host's clock: for people.
std::string to_local_time(const Timestamp& time);

}  // namespace satchel::cli
