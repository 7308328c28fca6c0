#include "store/tree_store.h"

#include <unordered_map>

#include "base/guarded.h"
#include "base/sha256.h"
#include "store/format_error.h"
#include "store/page_items.h"

namespace satchel::store {
namespace {

template <typename Value, typename Id>
using Shelf = Guarded<std::unordered_map<Id, Value>>;

template <typename Value, typename Id>
Result<Value> take_from(Shelf<Value, Id>& shelf, const Id& id, std::string_view what) {
  const auto values = shelf.lock();
  const auto found = values->find(id);
  if (found == values->end()) {
    return Error{.code = ENOENT,
                 .sat = Sat::kMissingContent,
                 .message = std::string(what) + " " + id.hex() + " is not in the store"};
  }
  return found->second;
}

/// Whether `value` is new there.
template <typename Value, typename Id>
bool put_on(Shelf<Value, Id>& shelf, const Id& id, Value value) {
  return shelf.lock()->emplace(id, std::move(value)).second;
}

}  // namespace

struct MemoryTreeStore::State {
  Shelf<std::shared_ptr<const DirectoryPage>, PageId> directory_pages;
  Shelf<std::shared_ptr<const LinkPage>, PageId> link_pages;
  Shelf<std::string, XattrSetId> xattr_sets;
  Shelf<Root, RootId> roots;
};

MemoryTreeStore::MemoryTreeStore() : state_(std::make_unique<State>()) {
  put_on(state_->directory_pages, empty_directory_page(), std::make_shared<const DirectoryPage>());
  put_on(state_->link_pages, empty_link_page(), std::make_shared<const LinkPage>());
}

MemoryTreeStore::~MemoryTreeStore() = default;

Result<std::shared_ptr<const DirectoryPage>> MemoryTreeStore::get_directory_page(const PageId& id) {
  return take_from(state_->directory_pages, id, "directory page");
}

Result<std::shared_ptr<const LinkPage>> MemoryTreeStore::get_link_page(const PageId& id) {
  return take_from(state_->link_pages, id, "link page");
}

Result<Xattrs> MemoryTreeStore::get_xattrs(const XattrSetId& id) {
  SATCHEL_ASSIGN(const std::string set, take_from(state_->xattr_sets, id, "xattr set"));
  return decode_xattrs(as_bytes(set));
}

Result<Root> MemoryTreeStore::get_root(const RootId& id) {
  return take_from(state_->roots, id, "root record");
}

Result<PageId> MemoryTreeStore::put_page(const DirectoryPage& page) {
  const PageId id{sha256(encode_page(page))};
  if (put_on(state_->directory_pages, id, share_page(page))) {
    ++pages_encoded_;
  }
  return id;
}

Result<PageId> MemoryTreeStore::put_page(const LinkPage& page) {
  const PageId id{sha256(encode_page(page))};
  if (put_on(state_->link_pages, id, share_page(page))) ++pages_encoded_;
  return id;
}

Result<XattrSetId> MemoryTreeStore::put_xattrs(std::string_view encoded_set) {
  const XattrSetId id{sha256(as_bytes(encoded_set))};
  put_on(state_->xattr_sets, id, std::string(encoded_set));
  return id;
}

Result<RootId> MemoryTreeStore::put_root(const Root& root) {
  const RootId id = root_id(root);
  put_on(state_->roots, id, root);
  return id;
}

}  // namespace satchel::store
