#include "store/content_reader.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/file_io.h"
#include "base/guarded.h"
#include "store/format_error.h"
#include "store/lru_cache.h"

namespace satchel::store {
namespace {

using Chunk = std::vector<std::byte>;

/// A level-0 body, ready to look leaves up in.
struct Span {
  Span(const RecipeBody& body, std::uint64_t bytes)
      : extents(body.extents),
        leaf_hashes(list_leaf_hashes(body, bytes)),
        leaf_is_hole(list_hole_leaves(body, bytes)) {
    std::uint64_t start = 0;
    for (const Extent& extent : extents) {
      starts.push_back(start);
      start += extent.length;
    }
  }
  /// The extent that holds the byte at `position`.
  [[nodiscard]] std::size_t find_extent(std::uint64_t position) const {
    return static_cast<std::size_t>(std::ranges::upper_bound(starts, position) - starts.begin()) -
           1;
  }

  std::vector<Extent> extents;
  std::vector<std::uint64_t> starts;  // of each extent
  std::vector<LeafHash> leaf_hashes;
  std::vector<bool> leaf_is_hole;
};

/// Where a body stands.
struct Place {
  std::uint8_t level = 0;
  std::uint64_t index = 0;  ///< of the bodies of that level
  /// The level needs 3 bits, and no content has 2^61 spans.
  [[nodiscard]] std::uint64_t key() const { return index << 3U | level; }
};

struct Caches {
  LruCache<std::uint64_t, std::shared_ptr<const RecipeBody>> pages{ContentReader::kPagesMax};
  LruCache<std::uint64_t, std::shared_ptr<const Span>> spans{ContentReader::kPagesMax};
  LruCache<ChunkId, std::shared_ptr<const Chunk>> chunks{ContentReader::kChunkBytesMax};
};

/// The body of a content that is one chunk. Its leaf hash is not looked at.
RecipeBody body_of_chunk(const ContentId& id) {
  const ChunkId chunk{id.digest.bytes};
  return {.extents = {{.length = id.size, .chunk = chunk}}, .leaves = {LeafHash{}}};
}

}  // namespace

struct ContentReader::State {
  State(Repository& source, const ContentId& content) : repository(source), id(content) {}

  Result<void> open() {
    if (id.is_empty()) return {};
    if (id.size <= kLeafBytes) {
      const auto as_chunk = EntryKey::of(EntryType::kChunk, id.digest);
      SATCHEL_ASSIGN(const bool needs_no_recipe, repository.has(as_chunk));
      if (needs_no_recipe) {
        top = std::make_shared<RecipeBody>(body_of_chunk(id));
        return {};
      }
    }
    SATCHEL_ASSIGN(const std::vector<std::byte> encoded,
                   repository.get(EntryKey::of(EntryType::kRecipe, id.digest)));
    SATCHEL_ASSIGN(Recipe recipe, decode_recipe(encoded));
    if (recipe.size != id.size) return contradiction("a recipe for another size");
    // Of a content up to 64 KiB the id is no tree hash: its bytes are checked against it when read.
    if (id.size > kLeafBytes) {
      const ContentId found = content_id_of_tree(id.size, hash_recipe_body(recipe.body, id.size));
      if (found != id) return corrupted("a recipe for another content");
    }
    top = std::make_shared<RecipeBody>(std::move(recipe.body));
    return {};
  }

  [[nodiscard]] std::uint64_t span_bytes(const Place& place) const {
    const std::uint64_t full = recipe_span_bytes(place.level);
    return std::min(full, id.size - place.index * full);
  }

  /// The body at `place`; null if it lies in a hole. The top must span it.
  Result<std::shared_ptr<const RecipeBody>> get_body(const Place& place) {
    if (place.level == top->level) return top;
    if (auto known = caches.lock()->pages.find(place.key())) return *known;
    const Place parent_place{.level = static_cast<std::uint8_t>(place.level + 1),
                             .index = place.index / kRecipeChildrenMax};
    SATCHEL_ASSIGN(const auto parent, get_body(parent_place));
    if (parent == nullptr) return std::shared_ptr<const RecipeBody>();
    const RecipeBody::Child& child = parent->children.at(place.index % kRecipeChildrenMax);
    if (child.is_hole) return std::shared_ptr<const RecipeBody>();

    SATCHEL_ASSIGN(const std::vector<std::byte> encoded,
                   repository.get(EntryKey::of(EntryType::kRecipePage, child.page)));
    const std::uint64_t bytes = span_bytes(place);
    SATCHEL_ASSIGN(RecipeBody body, decode_recipe_page(encoded, bytes));
    if (body.level != place.level) return contradiction("a recipe page of another level");
    if (hash_recipe_body(body, bytes) != child.subtree) {
      return corrupted("a recipe page for other bytes");
    }
    std::shared_ptr<const RecipeBody> shared = std::make_shared<RecipeBody>(std::move(body));
    caches.lock()->pages.insert(place.key(), shared, 1);
    return shared;
  }

  /// Null if all of it is hole.
  Result<std::shared_ptr<const Span>> get_span(std::uint64_t index) {
    if (auto known = caches.lock()->spans.find(index)) return *known;
    SATCHEL_ASSIGN(const auto body, get_body({.index = index}));
    if (body == nullptr) return std::shared_ptr<const Span>();
    std::shared_ptr<const Span> span = std::make_shared<Span>(*body, span_bytes({.index = index}));
    caches.lock()->spans.insert(index, span, 1);
    return span;
  }

  Result<std::shared_ptr<const Chunk>> get_chunk(const ChunkId& chunk) {
    if (auto known = caches.lock()->chunks.find(chunk)) return *known;
    SATCHEL_ASSIGN(Chunk bytes, repository.get(EntryKey::of(EntryType::kChunk, chunk)));
    const std::size_t cost = bytes.size();
    std::shared_ptr<const Chunk> shared = std::make_shared<Chunk>(std::move(bytes));
    caches.lock()->chunks.insert(chunk, shared, cost);
    return shared;
  }

  /// Bytes [position, position + count) of a span.
  Result<std::vector<std::byte>> read_span(const Span& span, std::uint64_t position,
                                           std::size_t count) {
    std::vector<std::byte> bytes(count);
    std::size_t done = 0;
    for (std::size_t i = span.find_extent(position); done < count; ++i) {
      const Extent& extent = span.extents.at(i);
      const std::uint64_t skipped = position + done - span.starts[i];
      const auto taken =
          static_cast<std::size_t>(std::min<std::uint64_t>(count - done, extent.length - skipped));
      if (!extent.is_hole) {
        SATCHEL_ASSIGN(const auto chunk, get_chunk(extent.chunk));
        if (extent.chunk_offset + extent.length > chunk->size()) {
          return contradiction("an extent reaches beyond its chunk");
        }
        const Bytes from =
            Bytes(*chunk).subspan(static_cast<std::size_t>(extent.chunk_offset + skipped), taken);
        std::ranges::copy(from, bytes.begin() + static_cast<std::ptrdiff_t>(done));
      }
      done += taken;
    }
    return bytes;
  }

  [[nodiscard]] bool matches(Bytes leaf, const LeafHash& hash) const {
    return id.size > kLeafBytes ? hash_leaf(leaf) == hash : content_id_of(leaf) == id;
  }

  Repository& repository;
  const ContentId id;
  std::shared_ptr<const RecipeBody> top;  // null for the empty content
  Guarded<Caches> caches;
};

ContentReader::ContentReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ContentReader::ContentReader(ContentReader&&) noexcept = default;
ContentReader& ContentReader::operator=(ContentReader&&) noexcept = default;
ContentReader::~ContentReader() = default;

Result<ContentReader> ContentReader::open(Repository& repository, const ContentId& id) {
  auto state = std::make_unique<State>(repository, id);
  SATCHEL_TRY(state->open());
  return ContentReader(std::move(state));
}

const ContentId& ContentReader::id() const {
  return state_->id;
}

std::uint64_t ContentReader::leaves() const {
  return count_leaves(state_->id.size);
}

Result<ContentReader::Leaf> ContentReader::read_leaf(std::uint64_t index) {
  if (index >= leaves()) return Error{.code = EINVAL, .message = "no such leaf"};
  const std::uint64_t position = index * kLeafBytes;
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(kLeafBytes, id().size - position));
  SATCHEL_ASSIGN(const auto span, state_->get_span(position / kRecipeSpanBytes));
  const auto leaf = static_cast<std::size_t>(position % kRecipeSpanBytes / kLeafBytes);
  if (span == nullptr || span->leaf_is_hole[leaf]) return Leaf{.is_hole = true, .bytes = {}};
  SATCHEL_ASSIGN(std::vector<std::byte> bytes,
                 state_->read_span(*span, position % kRecipeSpanBytes, count));
  if (!state_->matches(bytes, span->leaf_hashes[leaf])) {
    return corrupted("bytes of a content do not match its id");
  }
  return Leaf{.is_hole = false, .bytes = std::move(bytes)};
}

Result<std::uint64_t> ContentReader::find_data(std::uint64_t index) {
  constexpr std::uint64_t kSpanLeaves = kRecipeSpanBytes / kLeafBytes;
  while (index < leaves()) {
    // The largest body around the leaf that is all hole is passed in one step.
    std::uint8_t level = state_->top->level;
    std::shared_ptr<const RecipeBody> body;
    for (;; --level) {
      const std::uint64_t place = index / (recipe_span_bytes(level) / kLeafBytes);
      SATCHEL_ASSIGN(body, state_->get_body({level, place}));
      if (body == nullptr) {
        index = (place + 1) * (recipe_span_bytes(level) / kLeafBytes);
        break;
      }
      if (level == 0) break;
    }
    if (body == nullptr) continue;
    SATCHEL_ASSIGN(const auto span, state_->get_span(index / kSpanLeaves));
    const auto& is_hole = span->leaf_is_hole;
    const auto from = is_hole.begin() + static_cast<std::ptrdiff_t>(index % kSpanLeaves);
    const auto found = std::find(from, is_hole.end(), false);
    index += static_cast<std::uint64_t>(found - from);
    if (found != is_hole.end()) return index;
  }
  return leaves();
}

Result<void> write_content_to(Repository& repository, const ContentId& id, int fd) {
  SATCHEL_ASSIGN(ContentReader reader, ContentReader::open(repository, id));
  if (::ftruncate(fd, static_cast<off_t>(id.size)) != 0) return file_error("", "cannot set size");
  std::uint64_t index = 0;
  while (true) {
    SATCHEL_ASSIGN(index, reader.find_data(index));
    if (index == reader.leaves()) return {};
    SATCHEL_ASSIGN(const ContentReader::Leaf leaf, reader.read_leaf(index));
    SATCHEL_TRY(pwrite_all(fd, leaf.bytes, index * kLeafBytes));
    ++index;
  }
}

}  // namespace satchel::store
