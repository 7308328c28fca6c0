// Opening the repository that a command names.
#pragma once

#include "cli/command.h"
#include "store/repository.h"

namespace satchel::cli {

/// `path` as a person gave it, made absolute. Errors: ENOENT.
Result<HostPath> absolute_path(const HostPath& path);

/// Opens it for a command that has no store: its index stands in the user's cache, or for the
/// length of the command in a temporary directory. Errors: those of Repository::open().
Result<store::Repository> open_repository(Session& session, const HostPath& path);

}  // namespace satchel::cli
