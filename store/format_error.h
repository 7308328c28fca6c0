// The four refusals of the decoders and tree algorithms.
#pragma once

#include <string_view>

#include "base/error.h"

namespace satchel::store {

/// Bytes or records that cannot be true together: EUCLEAN, kContradiction.
Error contradiction(std::string_view why);
/// Bytes that do not match their hash, or end too early: EBADMSG, kCorrupted.
Error corrupted(std::string_view why);
/// A flag, kind or version that this program does not know: ENOTSUP, kNewerFormat.
Error newer_format(std::string_view what);
/// A size, count or depth beyond its named limit: E2BIG, kLimit.
Error beyond_limit(std::string_view what);

}  // namespace satchel::store
