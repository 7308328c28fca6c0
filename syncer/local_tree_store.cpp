#include "syncer/local_tree_store.h"

#include "base/sha256.h"

namespace satchel::syncer {

using store::EntryKey;
using store::EntryType;
using store::PageId;

Result<std::shared_ptr<const store::DirectoryPage>> LocalTreeStore::get_directory_page(
    const PageId& id) {
  return trees_.get_directory_page(id);
}

Result<std::shared_ptr<const store::LinkPage>> LocalTreeStore::get_link_page(const PageId& id) {
  return trees_.get_link_page(id);
}

Result<store::Xattrs> LocalTreeStore::get_xattrs(const store::XattrSetId& id) {
  return trees_.get_xattrs(id);
}

Result<store::Root> LocalTreeStore::get_root(const store::RootId& id) {
  return trees_.get_root(id);
}

template <typename Page>
Result<PageId> LocalTreeStore::keep_page(EntryType type, const Page& page) {
  const std::vector<std::byte> bytes = store::encode_page(page);
  const PageId id{sha256(bytes)};
  const EntryKey key = EntryKey::of(type, id);
  SATCHEL_ASSIGN(const auto known, cache_.find(key));
  if (known) return id;
  ++pages_encoded_;
  SATCHEL_TRY(cache_.keep(key, bytes));
  return id;
}

Result<PageId> LocalTreeStore::put_page(const store::DirectoryPage& page) {
  return keep_page(EntryType::kDirectoryPage, page);
}

Result<PageId> LocalTreeStore::put_page(const store::LinkPage& page) {
  return keep_page(EntryType::kLinkPage, page);
}

Result<store::XattrSetId> LocalTreeStore::put_xattrs(std::string_view encoded_set) {
  const store::XattrSetId id{sha256(as_bytes(encoded_set))};
  SATCHEL_TRY(cache_.keep(EntryKey::of(EntryType::kXattrSet, id), as_bytes(encoded_set)));
  return id;
}

Result<store::RootId> LocalTreeStore::put_root(const store::Root& root) {
  const store::RootId id = store::root_id(root);
  const EntryKey key = EntryKey::of(EntryType::kRoot, id);
  SATCHEL_ASSIGN(const auto known, cache_.find(key));
  if (!known) SATCHEL_TRY(cache_.keep(key, store::encode_root(root)));
  return id;
}

}  // namespace satchel::syncer
