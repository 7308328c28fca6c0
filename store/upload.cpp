#include "store/upload.h"

#include <array>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/guarded.h"

namespace satchel::store {
namespace {

/// One pack on its way. Shared by the slot that fills it and the entries that are read back from
/// it.
struct OpenPack {
  OpenPack(Repository& its_repository, std::string name, PackWriter its_writer)
      : repository(its_repository),
        temporary_name(std::move(name)),
        writer(std::move(its_writer)) {}
  OpenPack(const OpenPack&) = delete;
  OpenPack& operator=(const OpenPack&) = delete;
  ~OpenPack() {
    if (!is_published) repository.discard_pack(temporary_name);
  }

  Repository& repository;
  std::string temporary_name;
  PackWriter writer;
  bool is_published = false;
};

struct PendingEntry {
  std::shared_ptr<OpenPack> pack;
  PackIndexItem item;
};

// Data first: what a page names is then durable before it.
constexpr std::size_t kDataSlot = 0;
constexpr std::size_t kMetadataSlot = 1;
constexpr std::size_t kSlots = 2;
std::size_t slot_of(EntryType type) {
  return pack_kind_of(type) == PackKind::kData ? kDataSlot : kMetadataSlot;
}

}  // namespace

struct Upload::State {
  explicit State(Repository& its_repository) : repository(its_repository) {}

  struct Packs {
    bool has_refreshed = false;
    std::array<std::shared_ptr<OpenPack>, kSlots> open;
    std::unordered_map<EntryKey, PendingEntry> pending;  ///< entries of packs not published yet
    std::vector<PackId> published;
    std::set<PackId> found;  ///< packs of entries that the repository had
    UploadCounts counts;
    std::optional<Error> failure;
  };

  Result<bool> is_known(const EntryKey& key);
  Result<void> append(const EntryKey& key, Bytes raw);
  /// The pack that entries like `key` go to now; started if there is none.
  Result<std::shared_ptr<OpenPack>> open_pack(Packs& state, EntryType type);
  Result<void> publish(OpenPack& pack);
  /// Remembers the first error: what was put before it may be in no pack.
  Error fail(const Error& error);

  Repository& repository;
  Guarded<Packs> packs;
};

Error Upload::State::fail(const Error& error) {
  const auto state = packs.lock();
  if (!state->failure) state->failure = error;
  return *state->failure;
}

Result<bool> Upload::State::is_known(const EntryKey& key) {
  {
    const auto state = packs.lock();
    if (state->failure) return *state->failure;
    if (state->pending.contains(key)) return true;
    if (!state->has_refreshed) {
      // Once for all: a look for new packs at each new entry would cost more than what it saves.
      SATCHEL_TRY(repository.refresh());
      state->has_refreshed = true;
    }
  }
  SATCHEL_ASSIGN(const auto location, repository.locate(key));
  if (!location) return false;
  packs.lock()->found.insert(location->pack);
  return true;
}

Result<std::shared_ptr<OpenPack>> Upload::State::open_pack(Packs& state, EntryType type) {
  std::shared_ptr<OpenPack>& slot = state.open[slot_of(type)];
  if (slot == nullptr) {
    SATCHEL_ASSIGN(auto started, repository.start_pack());
    auto writer = PackWriter::start(std::move(started.fd), pack_kind_of(type));
    if (!writer) {
      repository.discard_pack(started.temporary_name);
      return repository.explain(writer.error());
    }
    slot = std::make_shared<OpenPack>(repository, started.temporary_name, *std::move(writer));
  }
  return slot;
}

Result<void> Upload::State::append(const EntryKey& key, Bytes raw) {
  // Outside of the lock. Two threads with the same entry may both get here, and the second one's
  // work is thrown away: rare, and nobody waits for anybody.
  const Encoded encoded = compress(raw);
  const auto raw_bytes = static_cast<std::uint32_t>(raw.size());
  std::shared_ptr<OpenPack> full;
  {
    const auto state = packs.lock();
    if (state->pending.contains(key)) return {};
    SATCHEL_ASSIGN(const auto pack, open_pack(*state, key.type));
    const auto item = pack->writer.append(key, raw_bytes, encoded);
    if (!item) return repository.explain(item.error());
    state->pending.emplace(key, PendingEntry{pack, *item});
    state->counts.chunks_new += key.type == EntryType::kChunk ? 1 : 0;
    state->counts.entries_new += 1;
    state->counts.raw_bytes_new += raw_bytes;
    if (pack->writer.bytes() >= kPackBytes || pack->writer.entries() == kPackEntriesMax) {
      full = std::exchange(state->open[slot_of(key.type)], nullptr);
    }
  }
  return full != nullptr ? publish(*full) : Result<void>{};
}

Result<void> Upload::State::publish(OpenPack& pack) {
  const auto id = pack.writer.finish();
  if (!id) return repository.explain(id.error());
  SATCHEL_TRY(repository.publish_pack(pack.temporary_name, *id, pack.writer.items()));
  pack.is_published = true;
  const auto state = packs.lock();
  for (const PackIndexItem& item : pack.writer.items()) state->pending.erase(item.key);
  state->published.push_back(*id);
  state->counts.bytes_stored += pack.writer.bytes();
  return {};
}

Upload::Upload(Repository& repository) : state_(std::make_unique<State>(repository)) {}
Upload::~Upload() = default;

Result<Upload::Put> Upload::put(const EntryKey& key, Bytes raw) {
  SATCHEL_ASSERT(raw.size() <= kRawBytesMax);
  const auto is_known = state_->is_known(key);
  if (!is_known) return state_->fail(is_known.error());
  if (*is_known) return Put::kKnown;
  const auto appended = state_->append(key, raw);
  if (!appended) return state_->fail(appended.error());
  return Put::kNew;
}

Result<ChunkId> Upload::put_chunk(Bytes raw) {
  const ChunkId id = state_->repository.name_chunk(raw);
  SATCHEL_TRY(put(EntryKey::of(EntryType::kChunk, id), raw));
  return id;
}

Result<std::optional<std::vector<std::byte>>> Upload::get(const EntryKey& key) {
  std::optional<PendingEntry> pending;
  {
    const auto state = state_->packs.lock();
    const auto found = state->pending.find(key);
    if (found != state->pending.end()) pending = found->second;
  }
  if (!pending) return std::optional<std::vector<std::byte>>{};
  auto raw = read_pack_entry(pending->pack->writer.fd(), pending->item);
  if (!raw) return state_->repository.explain(raw.error());
  SATCHEL_TRY(state_->repository.verify(key, *raw));
  return std::optional(*std::move(raw));
}

Result<std::vector<PackId>> Upload::finish() {
  for (const std::size_t slot : {kDataSlot, kMetadataSlot}) {
    std::shared_ptr<OpenPack> pack;
    {
      const auto state = state_->packs.lock();
      if (state->failure) return *state->failure;
      pack = std::exchange(state->open[slot], nullptr);
    }
    if (pack == nullptr) continue;
    const auto published = state_->publish(*pack);
    if (!published) return state_->fail(published.error());
  }
  return state_->packs.lock()->published;
}

std::vector<PackId> Upload::relied_on() const {
  const auto state = state_->packs.lock();
  std::set<PackId> packs = state->found;
  packs.insert(state->published.begin(), state->published.end());
  return {packs.begin(), packs.end()};
}

UploadCounts Upload::counts() const {
  return state_->packs.lock()->counts;
}

}  // namespace satchel::store
