// The bytes of base files: from this device if they are here, else out of the repository, leaf by
// leaf.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/log.h"
#include "fs/deadline_pool.h"
#include "fs/view.h"
#include "store/metadata_db.h"
#include "store/object_store.h"
#include "store/repository.h"

namespace satchel::fs {

struct ContentFetchOptions {
  std::size_t open_contents_max = 512;  ///< each holds at most two descriptors
  unsigned threads = 4;                 ///< that wait for the repository
  std::chrono::milliseconds deadline = kRepositoryDeadline;
};

/// Where a ContentFetch looks and keeps; all borrowed.
struct ContentPlaces {
  store::Repository& repository;
  /// Looked into first; a content that is here is never fetched.
  store::ObjectStore& shared_objects;
  /// Where large contents arrive and adopted ones go; for an image mount the same as
  /// `shared_objects`.
  store::ObjectStore& own_objects;
  /// Contents of up to kSmallContentBytes, by digest.
  store::MetadataDb& metadata;
  store::Family small_contents;
  const Log& log;
};

/// Contents up to this size are values in the metadata, not files.
inline constexpr std::uint64_t kSmallContentBytes = 16U << 10U;

/// Fetches what is read and nothing else: a small content whole, of a larger one the 64 KiB leaves
/// that a read touches, and a few more ahead of a sequential reader. A content whose last leaf has
/// arrived is an object from then on. Two readers of one leaf fetch it once.
///
/// What finds no room on this device is given out all the same, and fetched again when it is read
/// again.
///
/// Every wait for the repository has the deadline; what it fetched later is kept all the same.
/// Bytes are verified before they are given out. Thread-safe.
class ContentFetch final : public ContentSource {
 public:
  ContentFetch(const ContentPlaces& places, const ContentFetchOptions& options);
  ~ContentFetch() override;

  Result<std::size_t> read(const store::ContentId& id, std::uint64_t offset,
                           std::span<std::byte> out) override;
  Result<std::shared_ptr<const UniqueFd>> find_file(const store::ContentId& id) override;
  Result<void> copy_to(const store::ContentId& id, int fd) override;
  Result<void> adopt(const store::ContentId& id, int directory_fd, const char* name) override;

  struct Counts {
    std::uint64_t bytes_from_repository = 0;  ///< content bytes read from packs since the mount
    std::uint64_t bytes_on_disk = 0;          ///< objects and parts on this device
  };
  Result<Counts> counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satchel::fs
