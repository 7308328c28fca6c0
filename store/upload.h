// New entries on their way into a repository's packs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "store/repository.h"

namespace satchel::store {

struct UploadCounts {
  std::uint64_t chunks_new = 0;
  std::uint64_t entries_new = 0;  ///< of any type
  std::uint64_t raw_bytes_new = 0;
  std::uint64_t bytes_stored = 0;  ///< size of the packs written
};

/// Collects entries, leaves out what the repository has, compresses, fills data and metadata packs
/// (64 MiB each). Thread-safe: put() may be called by many hashing threads. What was put can be
/// read back by get() of the upload before finish(). Dropping it unfinished removes its files in
/// packs/tmp; a crash leaves them there for a later writer to remove. Packs that it published serve
/// whoever puts the same entries again: that is how an interrupted upload goes on.
///
/// After the first error every call returns that error. Errors of all: ENOSPC/kNoSpace,
/// EROFS/kReadOnly, ENETUNREACH/kOffline, EIO.
class Upload {
 public:
  static constexpr std::uint64_t kPackBytes = 64U << 20U;
  explicit Upload(Repository& repository);
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  enum class Put : std::uint8_t { kNew, kKnown };
  Result<Put> put(const EntryKey& key, Bytes raw);
  /// Names and puts a chunk.
  Result<ChunkId> put_chunk(Bytes raw);
  /// An entry put here and not yet readable from the repository; nullopt if it is not one of those.
  Result<std::optional<std::vector<std::byte>>> get(const EntryKey& key);
  /// Closes and publishes all packs: durable on return. Called once, when every put() has returned.
  /// The packs written, in order.
  Result<std::vector<PackId>> finish();
  /// The packs that hold what was put, written here or before: those that a commit relies on.
  [[nodiscard]] std::vector<PackId> relied_on() const;
  [[nodiscard]] UploadCounts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satchel::store
