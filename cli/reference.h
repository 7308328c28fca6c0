// What people write for a version of something: NAME@N, KIND/NAME@N, X@N:PATH.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/path.h"
#include "store/refs.h"
#include "store/repository.h"
#include "syncer/publish.h"

namespace satchel::cli {

/// Of which kind X is, is known only where it says so: `os/debian12`, `users/ada`, `images/lab`.
struct Reference {
  std::string name;
  std::optional<store::VersionNumber> number;  ///< absent, or `main`: the newest
  std::optional<std::string> path;
};

/// Errors: EINVAL/kUsage (no number where one stands), kBadName later.
Result<Reference> parse_reference(std::string_view text);

/// NAME@N of a layer or image, with the number.
Result<syncer::RefVersion> parse_layer_version(std::string_view text);
Result<syncer::RefVersion> parse_image_version(std::string_view text);

/// Finds the ref that is meant. A bare name may be a user or an image; if it is both, the answer is
/// an error that says how to tell them apart. Errors: ENOENT/kNotFound, EINVAL/kBadName, kUsage.
Result<syncer::RefVersion> resolve(store::Repository& repository, const Reference& reference);

}  // namespace satchel::cli
