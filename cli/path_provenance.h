// Provenance: which layer a path of a workspace or image comes from.
#pragma once

#include <optional>
#include <string>

#include "store/refs.h"
#include "store/tree_store.h"

namespace satchel::cli {

struct Provenance {
  std::string layer;    ///< "data", "machine" … of the person, or "os/debian12"
  std::string version;  ///< "ada@7", "os/debian12@1"
};

/// The person's layers of a version.
struct PersonLayers {
  std::string user;
  store::VersionNumber number = 0;
  const store::UserBody& body;
  std::string machine_id;
};

/// The highest layer that says what `path` is; a directory's attributes count, not what is in it.
/// Nullopt: no layer has it. One look-up for each layer.
Result<std::optional<Provenance>> find_provenance(store::TreeStore& trees,
                                                  const PersonLayers* person,
                                                  const store::ImageBody& image,
                                                  const RelativePath& path);

}  // namespace satchel::cli
