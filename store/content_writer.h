// A file's bytes into chunks, recipe and content id.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "store/content_id.h"
#include "store/upload.h"

namespace satchel::store {

/// Takes one content from start to end and puts chunks and recipe into `upload`. Up to 64 KiB it
/// is one chunk, zeros of holes included; above, holes of 4 KiB and more cost no chunk, and the
/// logarithm of their size. Errors of all methods: those of Upload. Not thread-safe; one writer per
/// content.
class ContentWriter {
 public:
  explicit ContentWriter(Upload& upload);
  ~ContentWriter();
  ContentWriter(ContentWriter&&) noexcept;
  ContentWriter& operator=(ContentWriter&&) noexcept;
  Result<void> append(Bytes bytes);
  /// `bytes` zeros that are a hole.
  Result<void> append_hole(std::uint64_t bytes);
  /// Ends the content. The writer is used up.
  Result<ContentId> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Called with the bytes read since the last call; its error ends the reading and is returned.
using ReadProgress = std::function<Result<void>(std::uint64_t)>;

/// Reads `size` bytes of an open file from its start, holes by SEEK_DATA/SEEK_HOLE where the
/// filesystem has them, and stores them. `fd` is borrowed and its offset is moved. Errors: EBUSY
/// (kBusyFile: the file is shorter), EIO (kIo), those of Upload and `progress`.
Result<ContentId> store_file(Upload& upload, int fd, std::uint64_t size,
                             const ReadProgress& progress = {});
/// The id only, nothing stored.
Result<ContentId> hash_file(int fd, std::uint64_t size, const ReadProgress& progress = {});

}  // namespace satchel::store
