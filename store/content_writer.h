// A file's bytes into chunks, recipe and content id.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "store/content_id.h"
#include "store/upload.h"

namespace satchel::store {

/// Takes one content from start to end and puts chunks and recipe into `upload`. Not thread-safe; one writer per content.
class ContentWriter {
 public:
  explicit ContentWriter(Upload& upload);
  ~ContentWriter();
  Result<void> append(Bytes bytes);
  /// `bytes` zeros that are a hole: they cost no chunk.
  Result<void> append_hole(std::uint64_t bytes);
  Result<ContentId> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads an open file from its start (SEEK_DATA/SEEK_HOLE where the filesystem has it) and stores it. `fd` is borrowed and its offset not used.
/// `progress`, if given, is called with bytes read since the last call.
Result<ContentId> store_file(Upload& upload, int fd, std::uint64_t size, const std::function<void(std::uint64_t)>& progress = {});
/// The id only, nothing stored.
Result<ContentId> hash_file(int fd, std::uint64_t size);

}  // namespace satchel::store
