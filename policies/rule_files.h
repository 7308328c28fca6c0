// Rule files on disk: finding them, and the order in which they are read.
#pragma once

#include <span>
#include <vector>

#include "base/path.h"
#include "policies/rule_parser.h"

namespace satchel::policies {

/// A directory of `*.rules` files.
struct RuleDirectory {
  HostPath path;
  Owner owner = Owner::kSite;
};

struct RuleDirectoryLimits {
  static constexpr std::size_t kFilesMax = 1000;
};

/// The files of all directories, in the order of the directories; one that does not exist has none.
/// Symbolic links are refused, so that a person's directory cannot show what only root may read; a
/// link to /dev/null stands for an empty file. The only function of this module that touches a
/// disk. Errors: EINVAL (a link or no regular file), EFBIG (a file too long, or too many), both
/// kRuleSyntax; EACCES, EIO.
Result<std::vector<RuleFile>> read_rule_files(std::span<const RuleDirectory> directories);

/// Puts `files`, in the order of their directories, into the order of reading: by file name, over
/// all directories. Of two files of the same name a shipped or a site's file is replaced by a later
/// site's one (an empty one switches it off). A person's file replaces nothing, for it must not
/// undo the site's rules: it is read after its namesakes.
std::vector<RuleFile> arrange_rule_files(std::vector<RuleFile> files);

}  // namespace satchel::policies
