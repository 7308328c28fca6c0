// Where tree pages come from and go to. All tree algorithms (stack, diff, split, mediate) work on
// this.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "store/page.h"
#include "store/root.h"

namespace satchel::store {

/// Content-addressed metadata, decoded. get…() verify what they read against its id and answer the
/// empty page without a look-up; put…() encode, and need no flush before they can be read back.
///
/// Thread-safe. Implementations: MemoryTreeStore (below), RepositoryTreeStore
/// (store/repository_tree_store.h). Errors of all: EUCLEAN and EBADMSG (stored bytes are wrong),
/// ENOENT/kMissingContent, EIO, ENETUNREACH.
class TreeStore {
 public:
  virtual ~TreeStore() = default;
  virtual Result<std::shared_ptr<const DirectoryPage>> get_directory_page(const PageId& id) = 0;
  virtual Result<std::shared_ptr<const LinkPage>> get_link_page(const PageId& id) = 0;
  virtual Result<Xattrs> get_xattrs(const XattrSetId& id) = 0;
  virtual Result<Root> get_root(const RootId& id) = 0;

  virtual Result<PageId> put_page(const DirectoryPage& page) = 0;
  virtual Result<PageId> put_page(const LinkPage& page) = 0;
  virtual Result<XattrSetId> put_xattrs(std::string_view encoded_set) = 0;
  virtual Result<RootId> put_root(const Root& root) = 0;

  /// Pages (directory and link) encoded since the start; the cost that must follow change.
  [[nodiscard]] std::uint64_t pages_encoded() const { return pages_encoded_.load(); }

 protected:
  std::atomic<std::uint64_t> pages_encoded_ = 0;
};

/// All in memory, for tests and for scratch computation.
class MemoryTreeStore final : public TreeStore {
 public:
  MemoryTreeStore();
  ~MemoryTreeStore() override;
  Result<std::shared_ptr<const DirectoryPage>> get_directory_page(const PageId& id) override;
  Result<std::shared_ptr<const LinkPage>> get_link_page(const PageId& id) override;
  Result<Xattrs> get_xattrs(const XattrSetId& id) override;
  Result<Root> get_root(const RootId& id) override;
  Result<PageId> put_page(const DirectoryPage& page) override;
  Result<PageId> put_page(const LinkPage& page) override;
  Result<XattrSetId> put_xattrs(std::string_view encoded_set) override;
  Result<RootId> put_root(const Root& root) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The xattrs of an entry, wherever they are.
Result<Xattrs> read_xattrs(TreeStore& trees, const XattrsRef& ref);
/// Puts xattrs where their size belongs.
Result<XattrsRef> write_xattrs(TreeStore& trees, const Xattrs& xattrs);

}  // namespace satchel::store
