// A tree store that counts what is asked of it, so that a test can hold cost to its promise.
#pragma once

#include <doctest/doctest.h>

#include <atomic>

#include "store/tree_store.h"

namespace satchel::test {

/// MemoryTreeStore that counts page reads, and checks that each page put decodes to itself.
class CountingTreeStore final : public store::TreeStore {
 public:
  Result<std::shared_ptr<const store::DirectoryPage>> get_directory_page(
      const store::PageId& id) override {
    ++directory_pages_read_;
    return trees_.get_directory_page(id);
  }
  Result<std::shared_ptr<const store::LinkPage>> get_link_page(const store::PageId& id) override {
    ++link_pages_read_;
    return trees_.get_link_page(id);
  }
  Result<store::Xattrs> get_xattrs(const store::XattrSetId& id) override {
    return trees_.get_xattrs(id);
  }
  Result<store::Root> get_root(const store::RootId& id) override { return trees_.get_root(id); }

  Result<store::PageId> put_page(const store::DirectoryPage& page) override {
    const auto decoded = store::decode_directory_page(store::encode_page(page));
    REQUIRE(decoded);
    REQUIRE((decoded->items == page.items && decoded->children == page.children));
    auto id = trees_.put_page(page);
    pages_encoded_ = trees_.pages_encoded();
    return id;
  }
  Result<store::PageId> put_page(const store::LinkPage& page) override {
    const auto decoded = store::decode_link_page(store::encode_page(page));
    REQUIRE(decoded);
    REQUIRE((decoded->items == page.items && decoded->children == page.children));
    auto id = trees_.put_page(page);
    pages_encoded_ = trees_.pages_encoded();
    return id;
  }
  Result<store::XattrSetId> put_xattrs(std::string_view encoded_set) override {
    return trees_.put_xattrs(encoded_set);
  }
  Result<store::RootId> put_root(const store::Root& root) override { return trees_.put_root(root); }

  [[nodiscard]] std::uint64_t directory_pages_read() const { return directory_pages_read_; }
  [[nodiscard]] std::uint64_t link_pages_read() const { return link_pages_read_; }

 private:
  store::MemoryTreeStore trees_;
  std::atomic<std::uint64_t> directory_pages_read_ = 0;
  std::atomic<std::uint64_t> link_pages_read_ = 0;
};

/// What one piece of work cost: `Cost cost(trees); …; CHECK(cost.pages_read() <= 10);`
class Cost {
 public:
  explicit Cost(const CountingTreeStore& trees)
      : trees_(trees), read_(trees.directory_pages_read()), encoded_(trees.pages_encoded()) {}
  [[nodiscard]] std::uint64_t pages_read() const { return trees_.directory_pages_read() - read_; }
  [[nodiscard]] std::uint64_t pages_encoded() const { return trees_.pages_encoded() - encoded_; }

 private:
  const CountingTreeStore& trees_;
  std::uint64_t read_;
  std::uint64_t encoded_;
};

}  // namespace satchel::test
