#include "syncer/publish.h"

#include <fmt/format.h>

#include <set>
#include <utility>
#include <variant>

#include "store/stack.h"

namespace satchel::syncer {
namespace {

using store::ImageBody;
using store::LayerBody;
using store::PackId;
using store::RefBody;
using store::RefName;
using store::RefRecord;
using store::Repository;
using store::Root;
using store::UserBody;
using store::VersionNumber;

Result<std::optional<RefRecord>> read_head(Repository& repository, const RefName& name) {
  SATCHEL_ASSIGN(const auto head, repository.head(name));
  if (!head) return std::nullopt;
  SATCHEL_ASSIGN(RefRecord record, repository.read_ref(name, *head));
  return record;
}

/// Commits `body` as what follows `head`.
Result<VersionNumber> commit_after(Repository& repository, const RefName& name,
                                   const std::optional<RefRecord>& head, RefBody body,
                                   const std::vector<PackId>& packs) {
  RefRecord record;
  record.name = name.text();
  record.number = head ? head->number + 1 : 1;
  record.body = std::move(body);
  SATCHEL_ASSIGN(const RefRecord committed, repository.commit(name, std::move(record), packs));
  return committed.number;
}

}  // namespace

Result<Published> publish_layer(Repository& repository, store::Upload& upload,
                                store::TreeStore& trees, const RefName& name,
                                const ImportedLayer& layer) {
  LayerBody body;
  body.layer_kind = name.layer_kind();
  SATCHEL_ASSIGN(body.root, trees.put_root(layer.root));
  body.files = layer.files;
  body.bytes = layer.bytes;
  SATCHEL_ASSIGN(const auto head, read_head(repository, name));
  if (head && std::get<LayerBody>(head->body).root == body.root) {
    return Published{.version = head->number, .root = body.root, .is_new = false};
  }
  SATCHEL_TRY(upload.finish());
  SATCHEL_ASSIGN(const VersionNumber version,
                 commit_after(repository, name, head, body, upload.relied_on()));
  return Published{.version = version, .root = body.root, .is_new = true};
}

Result<Published> publish_image(Repository& repository, store::Upload& upload,
                                store::TreeStore& trees, const RefName& name,
                                const std::vector<RefVersion>& layers) {
  ImageBody body;
  std::vector<Root> roots;
  for (const RefVersion& layer : layers) {
    SATCHEL_ASSIGN(const RefRecord record, repository.read_ref(layer.name, layer.number));
    const store::RootId root = std::get<LayerBody>(record.body).root;
    body.layers.push_back({layer.name.text(), layer.number, root});
    SATCHEL_ASSIGN(Root tree, trees.get_root(root));
    roots.push_back(std::move(tree));
  }
  SATCHEL_ASSIGN(const Root composed, store::compose(trees, roots));
  SATCHEL_ASSIGN(body.composed, trees.put_root(composed));
  SATCHEL_ASSIGN(const auto head, read_head(repository, name));
  if (head && std::get<ImageBody>(head->body) == body) {
    return Published{.version = head->number, .root = body.composed, .is_new = false};
  }
  SATCHEL_TRY(upload.finish());
  SATCHEL_ASSIGN(const VersionNumber version,
                 commit_after(repository, name, head, body, upload.relied_on()));
  return Published{.version = version, .root = body.composed, .is_new = true};
}

Result<Published> publish_workspace(Repository& repository, const RefName& user,
                                    const RefVersion& image) {
  SATCHEL_ASSIGN(const RefRecord image_record, repository.read_ref(image.name, image.number));
  SATCHEL_ASSIGN(const auto head, repository.head(user));
  if (head) {
    return Error{.code = EEXIST,
                 .sat = Sat::kAlreadyExists,
                 .message = fmt::format("the workspace is already there, at version {}", *head),
                 .path = user.text()};
  }
  UserBody body;
  body.image_name = image.name.text();
  body.image_number = image.number;
  body.image_root = std::get<ImageBody>(image_record.body).composed;
  body.composed = body.image_root;
  SATCHEL_ASSIGN(const VersionNumber version,
                 commit_after(repository, user, std::nullopt, body, {}));
  return Published{.version = version, .root = body.composed, .is_new = true};
}

}  // namespace satchel::syncer
