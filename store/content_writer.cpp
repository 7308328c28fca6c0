#include "store/content_writer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "store/chunker.h"
#include "store/recipe_builder.h"
#include "store/sparse_file.h"

namespace satchel::store {
namespace {

// Below this a hole costs more in the recipe than the chunk of its zeros. It bounds the extents of
// a span.
constexpr std::uint64_t kHoleBytesMin = 4U << 10U;

/// A content above 64 KiB: bytes are cut into chunks as they come.
class ChunkedContent {
 public:
  explicit ChunkedContent(Upload& upload)
      : upload_(upload), recipe_([&upload](const PageId& id, Bytes page) -> Result<void> {
          SATCHEL_TRY(upload.put(EntryKey::of(EntryType::kRecipePage, id), page));
          return {};
        }) {}

  Result<void> append(Bytes bytes) {
    SATCHEL_TRY(end_hole());
    return append_data(bytes);
  }

  void append_hole(std::uint64_t bytes) { hole_bytes_ += bytes; }

  Result<ContentId> finish() {
    SATCHEL_TRY(end_hole());
    SATCHEL_TRY(cut_chunks(Cut::kAll));
    SATCHEL_ASSIGN(const RecipeBuilder::Finished finished, recipe_.finish());
    const ContentId id = content_id_of_tree(finished.recipe.size, finished.tree_root);
    SATCHEL_TRY(
        upload_.put(EntryKey::of(EntryType::kRecipe, id.digest), encode_recipe(finished.recipe)));
    return id;
  }

 private:
  enum class Cut : std::uint8_t { kSettled, kAll };  // settled: more bytes would not move the cut

  Result<void> end_hole() {
    std::uint64_t hole = std::exchange(hole_bytes_, 0);
    if (hole < kHoleBytesMin) return append_data(zero_bytes(static_cast<std::size_t>(hole)));
    SATCHEL_TRY(cut_chunks(Cut::kAll));
    return recipe_.append_hole(hole);
  }

  Result<void> append_data(Bytes bytes) {
    uncut_.insert(uncut_.end(), bytes.begin(), bytes.end());
    return cut_chunks(Cut::kSettled);
  }

  Result<void> cut_chunks(Cut cut) {
    const ChunkerParameters parameters;
    const std::size_t keep = cut == Cut::kAll ? 0 : parameters.bytes_max - 1;
    Bytes rest = uncut_;
    while (rest.size() > keep) {
      const Bytes chunk = rest.first(first_chunk_bytes(rest, parameters));
      SATCHEL_ASSIGN(const ChunkId id, upload_.put_chunk(chunk));
      SATCHEL_TRY(recipe_.append_chunk(id, chunk));
      rest = rest.subspan(chunk.size());
    }
    uncut_.erase(uncut_.begin(), uncut_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    return {};
  }

  Upload& upload_;
  RecipeBuilder recipe_;
  std::vector<std::byte> uncut_;
  std::uint64_t hole_bytes_ = 0;
};

/// A content that is one chunk. Its digest is the chunk's name too where chunks are named by
/// SHA-256, and then it needs no recipe.
Result<ContentId> store_small(Upload& upload, Bytes bytes) {
  const ContentId id = content_id_of(bytes);
  if (id.is_empty()) return id;
  SATCHEL_ASSIGN(const ChunkId chunk, upload.put_chunk(bytes));
  if (chunk.bytes == id.digest.bytes) return id;
  RecipeBuilder recipe([](const PageId&, Bytes) -> Result<void> { return {}; });
  SATCHEL_TRY(recipe.append_chunk(chunk, bytes));
  SATCHEL_ASSIGN(const RecipeBuilder::Finished finished, recipe.finish());
  SATCHEL_TRY(
      upload.put(EntryKey::of(EntryType::kRecipe, id.digest), encode_recipe(finished.recipe)));
  return id;
}

}  // namespace

struct ContentWriter::State {
  explicit State(Upload& target) : upload(target) {}

  struct Run {
    std::uint64_t bytes = 0;
    bool is_hole = false;
  };

  /// From here on the content is above 64 KiB.
  Result<void> start_chunked() {
    chunked.emplace(upload);
    Bytes rest = small;
    for (const Run& run : runs) {
      const auto bytes = static_cast<std::size_t>(run.bytes);
      if (run.is_hole) {
        chunked->append_hole(bytes);
      } else {
        SATCHEL_TRY(chunked->append(rest.first(bytes)));
      }
      rest = rest.subspan(bytes);
    }
    small = {};
    return {};
  }

  void append_small(Bytes bytes, bool is_hole) {
    small.insert(small.end(), bytes.begin(), bytes.end());
    if (runs.empty() || runs.back().is_hole != is_hole) runs.push_back({.is_hole = is_hole});
    runs.back().bytes += bytes.size();
  }

  Upload& upload;
  std::vector<std::byte> small;  // all of it, until it is above 64 KiB
  std::vector<Run> runs;         // which of it is hole
  std::optional<ChunkedContent> chunked;
};

ContentWriter::ContentWriter(Upload& upload) : state_(std::make_unique<State>(upload)) {}
ContentWriter::~ContentWriter() = default;
ContentWriter::ContentWriter(ContentWriter&&) noexcept = default;
ContentWriter& ContentWriter::operator=(ContentWriter&&) noexcept = default;

Result<void> ContentWriter::append(Bytes bytes) {
  if (bytes.empty()) return {};
  if (!state_->chunked) {
    if (bytes.size() <= kLeafBytes - state_->small.size()) {
      state_->append_small(bytes, false);
      return {};
    }
    SATCHEL_TRY(state_->start_chunked());
  }
  return state_->chunked->append(bytes);
}

Result<void> ContentWriter::append_hole(std::uint64_t bytes) {
  if (bytes == 0) return {};
  if (!state_->chunked) {
    if (bytes <= kLeafBytes - state_->small.size()) {
      state_->append_small(zero_bytes(static_cast<std::size_t>(bytes)), true);
      return {};
    }
    SATCHEL_TRY(state_->start_chunked());
  }
  state_->chunked->append_hole(bytes);
  return {};
}

Result<ContentId> ContentWriter::finish() {
  if (state_->chunked) return state_->chunked->finish();
  return store_small(state_->upload, state_->small);
}

Result<ContentId> store_file(Upload& upload, int fd, std::uint64_t size,
                             const ReadProgress& progress) {
  ContentWriter writer(upload);
  const SparseFileVisitor visitor{.data = [&](Bytes bytes) -> Result<void> {
                                    SATCHEL_TRY(writer.append(bytes));
                                    return progress ? progress(bytes.size()) : Result<void>();
                                  },
                                  .hole = [&](std::uint64_t bytes) -> Result<void> {
                                    SATCHEL_TRY(writer.append_hole(bytes));
                                    return progress ? progress(bytes) : Result<void>();
                                  }};
  SATCHEL_TRY(visit_sparse_file(fd, size, visitor));
  return writer.finish();
}

Result<ContentId> hash_file(int fd, std::uint64_t size, const ReadProgress& progress) {
  ContentHasher hasher;
  const SparseFileVisitor visitor{.data = [&](Bytes bytes) -> Result<void> {
                                    hasher.append(bytes);
                                    return progress ? progress(bytes.size()) : Result<void>();
                                  },
                                  .hole = [&](std::uint64_t bytes) -> Result<void> {
                                    hasher.append_zeros(bytes);
                                    return progress ? progress(bytes) : Result<void>();
                                  }};
  SATCHEL_TRY(visit_sparse_file(fd, size, visitor));
  return hasher.finish();
}

}  // namespace satchel::store
