// user-dirs.dirs: what a person calls the folders for documents, pictures, downloads.
#pragma once

#include <string_view>

#include "policies/places.h"

namespace satchel::policies {

/// Adds to `home` what `text`, the contents of ~/.config/user-dirs.dirs, says of XDG_*_DIR: lines
/// NAME="$HOME/…" or NAME="/…". Other lines, and names that no rule knows, say nothing.
void add_user_dirs(Home& home, std::string_view text);

}  // namespace satchel::policies
