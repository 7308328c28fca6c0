// Publish: what an administrator makes becomes the next version of a layer, an image or a
// workspace.
#pragma once

#include <string>
#include <vector>

#include "store/repository.h"
#include "store/tree_store.h"
#include "store/upload.h"

namespace satchel::syncer {

/// A ref's version after publishing.
struct Published {
  store::VersionNumber version = 0;
  store::RootId root;
  bool is_new = true;  ///< false: the newest version said the same, and nothing was committed
};

/// What an import found.
struct ImportedLayer {
  store::Root root;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};
/// Finishes `upload`, whose packs hold `layer`, and commits it as the next version of `name`. The
/// same layer again commits nothing. Errors: those of Upload and Repository; EAGAIN/kLostRace.
Result<Published> publish_layer(store::Repository& repository, store::Upload& upload,
                                store::TreeStore& trees, const store::RefName& name,
                                const ImportedLayer& layer);

/// A version of a layer or an image, as people write it: NAME@N.
struct RefVersion {
  store::RefName name;
  store::VersionNumber number = 0;
};

/// Composes `layers`, lowest first, and commits that as the next version of `name`. `upload` is
/// finished. Errors: ENOENT/kNotFound (a layer), and as above.
Result<Published> publish_image(store::Repository& repository, store::Upload& upload,
                                store::TreeStore& trees, const store::RefName& name,
                                const std::vector<RefVersion>& layers);

/// Commits version 1 of the workspace `user` on an image: that image and nothing else. Errors:
/// EEXIST/kAlreadyExists, ENOENT/kNotFound (the image), and as above.
Result<Published> publish_workspace(store::Repository& repository, const store::RefName& user,
                                    const RefVersion& image);

}  // namespace satchel::syncer
