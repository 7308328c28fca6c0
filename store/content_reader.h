// A content's bytes out of a repository, any range, verified.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "store/content_id.h"
#include "store/recipe.h"
#include "store/repository.h"

namespace satchel::store {

/// Reads one content, leaf by leaf. What it returns matches the content id: the recipe's leaf
/// hashes are checked against the id when first used, and every leaf against its hash. Keeps a few
/// recipe pages and the chunks used last (kPagesMax, kChunkBytesMax), so that reading onwards
/// fetches each chunk once. Thread-safe; `repository` is borrowed.
class ContentReader {
 public:
  static constexpr std::size_t kPagesMax = 16;
  /// The chunk used last is kept whatever its size.
  static constexpr std::size_t kChunkBytesMax = 1U << 20U;

  /// Errors: ENOENT/kMissingContent, EBADMSG, EUCLEAN, ENETUNREACH.
  static Result<ContentReader> open(Repository& repository, const ContentId& id);
  ContentReader(ContentReader&&) noexcept;
  ContentReader& operator=(ContentReader&&) noexcept;
  ~ContentReader();

  [[nodiscard]] const ContentId& id() const;
  [[nodiscard]] std::uint64_t leaves() const;
  /// Leaf `index` (kLeafBytes each, the last one shorter). `is_hole`: all of it is hole, and
  /// `bytes` is empty. Errors: EINVAL (no such leaf), those of open().
  struct Leaf {
    bool is_hole = false;
    std::vector<std::byte> bytes;
  };
  Result<Leaf> read_leaf(std::uint64_t index);
  /// The first leaf from `index` on that is not all hole; leaves() if there is none. Its cost does
  /// not grow with the hole. Errors: those of open().
  Result<std::uint64_t> find_data(std::uint64_t index);

 private:
  struct State;
  explicit ContentReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The whole content into an empty regular file, sparse where it has holes. Errors: those of
/// ContentReader, ENOSPC (kNoSpace), EFBIG, EIO (kIo).
Result<void> write_content_to(Repository& repository, const ContentId& id, int fd);

}  // namespace satchel::store
