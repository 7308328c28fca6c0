// Tree pages out of a repository, through a local cache; new pages into an upload.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "store/tree_store.h"
#include "store/upload.h"

namespace satchel::store {

/// Raw metadata entries kept on this device so that a tree can be read without the repository.
/// Thread-safe.
class MetadataCache {
 public:
  virtual ~MetadataCache() = default;
  virtual Result<std::optional<std::string>> find(const EntryKey& key) = 0;
  virtual Result<void> keep(const EntryKey& key, Bytes raw) = 0;
};

/// Runs what asks the repository. It may return before the work is done, with an error of its own:
/// then the work goes on, and ends before the tree store does. See fs/deadline_pool.h.
using RepositoryWait = std::function<Result<void>(std::function<Result<void>()> work)>;

/// Decoded pages in an LRU of about `decoded_bytes_max`, then the local cache, then what the upload
/// still holds, then the repository. What was read or put is kept in the local cache, so that a
/// tree once seen can be read without the repository.
///
/// Every entry's bytes are checked against its id, those of the local cache too: one that is wrong
/// there is fetched anew. pages_encoded() counts the pages that the repository did not have;
/// encoding one that turns out to be known is not counted. Thread-safe.
class RepositoryTreeStore final : public TreeStore {
 public:
  /// `cache` and `upload` may be null; what is given is borrowed. Without upload put…() of what the
  /// repository lacks is EROFS/kReadOnly. Without `wait` whoever asks waits as long as it takes.
  RepositoryTreeStore(Repository& repository, MetadataCache* cache, Upload* upload,
                      std::size_t decoded_bytes_max = 64U << 20U, RepositoryWait wait = {});
  ~RepositoryTreeStore() override;
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

}  // namespace satchel::store
