// What the filesystem below a repository can do, tried out before the first write.
#pragma once

#include "store/repository_folder.h"

namespace satchel::store {

/// Whether commits can use link(2) there.
enum class LinkSupport : std::uint8_t { kMissing, kPresent };

/// Writes, links, renames and removes small files in refs/tmp, and removes what writers who died
/// left in packs/tmp and refs/tmp more than a day ago, by the filesystem's own clock. Errors: EROFS
/// (kReadOnly; also when permissions forbid it), EOPNOTSUPP (kMissingFeature, naming it), ENOSPC
/// (kNoSpace), EIO (kIo).
Result<LinkSupport> probe_for_writing(const RepositoryFolder& folder, const std::string& nonce);

}  // namespace satchel::store
