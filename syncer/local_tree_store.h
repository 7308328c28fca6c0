// Trees that only this device needs: read from anywhere, kept in its own cache.
#pragma once

#include "store/repository_tree_store.h"

namespace satchel::syncer {

/// Reads from `trees`, which must look in `cache` first; put…() keep in `cache` and nowhere else.
/// So a device can compose what it shows without writing to the repository. What is made this way
/// must not become part of a version, whose pages belong in packs. Both are borrowed. Thread-safe.
class LocalTreeStore final : public store::TreeStore {
 public:
  LocalTreeStore(store::TreeStore& trees, store::MetadataCache& cache)
      : trees_(trees), cache_(cache) {}
  Result<std::shared_ptr<const store::DirectoryPage>> get_directory_page(
      const store::PageId& id) override;
  Result<std::shared_ptr<const store::LinkPage>> get_link_page(const store::PageId& id) override;
  Result<store::Xattrs> get_xattrs(const store::XattrSetId& id) override;
  Result<store::Root> get_root(const store::RootId& id) override;

  Result<store::PageId> put_page(const store::DirectoryPage& page) override;
  Result<store::PageId> put_page(const store::LinkPage& page) override;
  Result<store::XattrSetId> put_xattrs(std::string_view encoded_set) override;
  Result<store::RootId> put_root(const store::Root& root) override;

 private:
  template <typename Page>
  Result<store::PageId> keep_page(store::EntryType type, const Page& page);

  store::TreeStore& trees_;
  store::MetadataCache& cache_;
};

}  // namespace satchel::syncer
