#include "store/repository_tree_store.h"

#include "base/guarded.h"
#include "base/sha256.h"
#include "store/lru_cache.h"
#include "store/page_items.h"

namespace satchel::store {
namespace {

template <typename Page>
using PageCache = Guarded<LruCache<PageId, std::shared_ptr<const Page>>>;

/// Roughly what a decoded page occupies: its items, and the names and targets in them.
template <typename Page>
std::size_t approximate_bytes(const Page& page, std::size_t encoded_bytes) {
  return sizeof page + encoded_bytes + page.items.capacity() * sizeof(page.items[0]) +
         page.children.capacity() * sizeof(page.children[0]);
}

Error no_upload(const EntryKey& key) {
  return {.code = EROFS,
          .sat = Sat::kReadOnly,
          .message = "the " + to_text(key) + " is new, and this tree is only read"};
}

}  // namespace

struct RepositoryTreeStore::State {
  State(Repository& its_repository, MetadataCache* its_cache, Upload* its_upload,
        std::size_t decoded_bytes_max, RepositoryWait its_wait)
      : repository(its_repository),
        cache(its_cache),
        upload(its_upload),
        wait(std::move(its_wait)),
        directory_pages(std::in_place, decoded_bytes_max),
        link_pages(std::in_place, decoded_bytes_max / 8) {}

  Result<std::vector<std::byte>> fetch(const EntryKey& key);
  Result<Upload::Put> store(const EntryKey& key, Bytes raw);
  template <typename Page, typename Decode>
  Result<std::shared_ptr<const Page>> get_page(EntryType type, const PageId& id,
                                               PageCache<Page>& decoded, Decode decode);
  template <typename Page>
  Result<PageId> put_page(EntryType type, const Page& page, PageCache<Page>& decoded,
                          std::atomic<std::uint64_t>& encoded_count);

  Repository& repository;
  MetadataCache* cache;
  Upload* upload;
  RepositoryWait wait;
  PageCache<DirectoryPage> directory_pages;
  PageCache<LinkPage> link_pages;
};

Result<std::vector<std::byte>> RepositoryTreeStore::State::fetch(const EntryKey& key) {
  if (cache != nullptr) {
    SATCHEL_ASSIGN(const auto kept, cache->find(key));
    if (kept && repository.verify(key, as_bytes(*kept))) {
      const Bytes bytes = as_bytes(*kept);
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    }
  }
  if (upload != nullptr) {
    SATCHEL_ASSIGN(auto pending, upload->get(key));
    if (pending) return *std::move(pending);
  }
  // Shared with the work: who stops waiting is gone before the entry comes, which is kept all the
  // same.
  const auto raw = std::make_shared<std::vector<std::byte>>();
  const auto work = [this, key, raw]() -> Result<void> {
    SATCHEL_ASSIGN(*raw, repository.get(key));
    if (cache == nullptr) return {};
    auto kept = cache->keep(key, *raw);
    // A full disk is no reason not to show what can be read.
    return kept || kept.error().code == ENOSPC ? Result<void>() : kept;
  };
  SATCHEL_TRY(wait ? wait(work) : work());
  return std::move(*raw);
}

Result<Upload::Put> RepositoryTreeStore::State::store(const EntryKey& key, Bytes raw) {
  Upload::Put put = Upload::Put::kKnown;
  if (upload != nullptr) {
    SATCHEL_ASSIGN(put, upload->put(key, raw));
  } else {
    SATCHEL_ASSIGN(const bool is_known, repository.has(key));
    if (!is_known) return no_upload(key);
  }
  if (cache != nullptr) SATCHEL_TRY(cache->keep(key, raw));
  return put;
}

template <typename Page, typename Decode>
Result<std::shared_ptr<const Page>> RepositoryTreeStore::State::get_page(EntryType type,
                                                                         const PageId& id,
                                                                         PageCache<Page>& decoded,
                                                                         Decode decode) {
  if (auto page = decoded.lock()->find(id)) return *std::move(page);
  const EntryKey key = EntryKey::of(type, id);
  SATCHEL_ASSIGN(const auto raw, fetch(key));
  auto page = decode(raw);
  if (!page) {
    page.error().message = to_text(key) + ": " + page.error().message;
    return page.error();
  }
  auto shared = share_page(*std::move(page));
  decoded.lock()->insert(id, shared, approximate_bytes(*shared, raw.size()));
  return shared;
}

template <typename Page>
Result<PageId> RepositoryTreeStore::State::put_page(EntryType type, const Page& page,
                                                    PageCache<Page>& decoded,
                                                    std::atomic<std::uint64_t>& encoded_count) {
  const std::vector<std::byte> raw = encode_page(page);
  const PageId id{sha256(raw)};
  SATCHEL_ASSIGN(const Upload::Put put, store(EntryKey::of(type, id), raw));
  if (put == Upload::Put::kNew) ++encoded_count;
  auto shared = share_page(page);
  decoded.lock()->insert(id, shared, approximate_bytes(*shared, raw.size()));
  return id;
}

RepositoryTreeStore::RepositoryTreeStore(Repository& repository, MetadataCache* cache,
                                         Upload* upload, std::size_t decoded_bytes_max,
                                         RepositoryWait wait)
    : state_(
          std::make_unique<State>(repository, cache, upload, decoded_bytes_max, std::move(wait))) {}
RepositoryTreeStore::~RepositoryTreeStore() = default;

Result<std::shared_ptr<const DirectoryPage>> RepositoryTreeStore::get_directory_page(
    const PageId& id) {
  static const auto empty = std::make_shared<const DirectoryPage>();
  if (id == empty_directory_page()) return empty;
  return state_->get_page(EntryType::kDirectoryPage, id, state_->directory_pages,
                          decode_directory_page);
}

Result<std::shared_ptr<const LinkPage>> RepositoryTreeStore::get_link_page(const PageId& id) {
  static const auto empty = std::make_shared<const LinkPage>();
  if (id == empty_link_page()) return empty;
  return state_->get_page(EntryType::kLinkPage, id, state_->link_pages, decode_link_page);
}

Result<Xattrs> RepositoryTreeStore::get_xattrs(const XattrSetId& id) {
  SATCHEL_ASSIGN(const auto raw, state_->fetch(EntryKey::of(EntryType::kXattrSet, id)));
  return decode_xattrs(raw);
}

Result<Root> RepositoryTreeStore::get_root(const RootId& id) {
  SATCHEL_ASSIGN(const auto raw, state_->fetch(EntryKey::of(EntryType::kRoot, id)));
  return decode_root(raw);
}

Result<PageId> RepositoryTreeStore::put_page(const DirectoryPage& page) {
  if (page.level == 0 && page.items.empty()) return empty_directory_page();
  return state_->put_page(EntryType::kDirectoryPage, page, state_->directory_pages, pages_encoded_);
}

Result<PageId> RepositoryTreeStore::put_page(const LinkPage& page) {
  if (page.level == 0 && page.items.empty()) return empty_link_page();
  return state_->put_page(EntryType::kLinkPage, page, state_->link_pages, pages_encoded_);
}

Result<XattrSetId> RepositoryTreeStore::put_xattrs(std::string_view encoded_set) {
  const Bytes raw = as_bytes(encoded_set);
  const XattrSetId id{sha256(raw)};
  SATCHEL_TRY(state_->store(EntryKey::of(EntryType::kXattrSet, id), raw));
  return id;
}

Result<RootId> RepositoryTreeStore::put_root(const Root& root) {
  const std::vector<std::byte> raw = encode_root(root);
  const RootId id{sha256(raw)};
  SATCHEL_TRY(state_->store(EntryKey::of(EntryType::kRoot, id), raw));
  return id;
}

}  // namespace satchel::store
