// A content's bytes out of a repository, any range, verified.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "store/content_id.h"
#include "store/recipe.h"
#include "store/repository.h"

namespace satchel::store {

/// Reads one content, leaf by leaf. What it returns matches the content id: the recipe's leaf hashes are checked against the id
/// when first used, and every leaf against its hash. Keeps its recipe pages (bounded) but no bytes. Thread-safe.
class ContentReader {
 public:
  /// Errors: ENOENT/kMissingContent, EBADMSG, EUCLEAN, ENETUNREACH.
  static Result<ContentReader> open(Repository& repository, const ContentId& id);
  ContentReader(ContentReader&&) noexcept;
  ~ContentReader();

  [[nodiscard]] const ContentId& id() const;
  [[nodiscard]] std::uint64_t leaves() const;
  /// Leaf `index` (kLeafBytes each, the last one shorter). `is_hole`: all of it is hole, and `bytes` is empty.
  struct Leaf {
    bool is_hole = false;
    std::vector<std::byte> bytes;
  };
  Result<Leaf> read_leaf(std::uint64_t index);

 private:
  struct State;
  explicit ContentReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The whole content into `fd` (sparse where it has holes). For `satchel cat`, tests and promotion.
Result<void> write_content_to(Repository& repository, const ContentId& id, int fd);

}  // namespace satchel::store
