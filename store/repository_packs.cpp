// The half of Repository that is about packs: the index kept in step with them, and their entries.
#include <algorithm>
#include <array>

#include "store/repository_state.h"

namespace satchel::store {
namespace {

Error missing_entry(const EntryKey& key, const HostPath& repository) {
  return {.code = ENOENT,
          .sat = Sat::kMissingContent,
          .message = "the " + to_text(key) + " is nowhere",
          .path = repository.text,
          .hint = "run: satchel fsck " + repository.text};
}

/// Errors that say that the pack itself is not what it should be, rather than the way to it.
bool is_unreadable(const Error& error) {
  constexpr std::array kBadPack = {Sat::kCorrupted, Sat::kContradiction, Sat::kNewerFormat,
                                   Sat::kLimit};
  return std::ranges::find(kBadPack, error.sat) != kBadPack.end();
}

/// What a descriptor that outlived its file or mount answers; a new one may be right.
bool is_stale(const Error& error) {
  constexpr std::array kStale = {ESTALE, ENOTCONN, EIO, ENODEV};
  return std::ranges::find(kStale, error.code) != kStale.end();
}

}  // namespace

Result<void> Repository::State::index_pack(const PackId& id, Refreshing& state) const {
  const auto fd = packs.open(id);
  if (!fd && fd.error().code == ENOENT) return {};  // went away since the listing
  SATCHEL_TRY(fd);
  const auto items = read_pack_index(fd->get());
  if (!items && is_unreadable(items.error())) {
    log.warn("pack-left-out pack={} reason={}", id.hex(), to_text(items.error()));
    state.unreadable.insert(id);
    return {};
  }
  SATCHEL_TRY(items);
  SATCHEL_ASSIGN(PackIndex* const entries, index());
  return entries->add(id, *items);
}

bool Repository::State::is_any_gone(const std::set<PackId>& known,
                                    const std::vector<PackId>& listed) const {
  return std::ranges::any_of(known, [&](const PackId& id) {
    if (std::ranges::binary_search(listed, id)) return false;
    // A network filesystem may list from memory; opening asks the server.
    const auto fd = packs.open(id);
    return !fd && fd.error().code == ENOENT;
  });
}

Result<void> Repository::State::look_for_packs(Refreshing& state) {
  SATCHEL_TRY(folder.check());
  SATCHEL_ASSIGN(const auto listed, packs.list());
  SATCHEL_ASSIGN(PackIndex* const entries, index());
  std::set<PackId> known = entries->packs();
  if (is_any_gone(known, listed)) {
    // Another pack may hold the same entries, and the index knows one place of each: start anew.
    log.info("packs-gone indexed={} listed={}", known.size(), listed.size());
    packs.close_shared();
    SATCHEL_TRY(entries->reset());
    known.clear();
    state.unreadable.clear();
  }
  for (const PackId& id : listed) {
    if (known.contains(id) || state.unreadable.contains(id)) continue;
    SATCHEL_TRY(index_pack(id, state));
  }
  return {};
}

Result<void> Repository::State::refresh_since(std::uint64_t seen) {
  const auto state = refreshing.lock();
  if (state->last_done > seen) return {};
  const std::uint64_t number = ++refreshes_started;
  const auto looked = look_for_packs(*state);
  if (!looked) return folder.explain(looked.error());
  state->last_done = number;
  return {};
}

Result<void> Repository::State::rebuild_index() {
  {
    const auto state = refreshing.lock();
    state->unreadable.clear();
    SATCHEL_ASSIGN(PackIndex* const entries, index());
    SATCHEL_TRY(entries->reset());
  }
  return refresh_since(refreshes_started.load());
}

Result<std::optional<EntryLocation>> Repository::State::locate(const EntryKey& key) {
  SATCHEL_ASSIGN(const PackIndex* const entries, index());
  auto location = entries->find(key);
  if (location || location.error().code != EUCLEAN) return location;
  log.warn("index-rebuilt reason={}", to_text(location.error()));
  SATCHEL_TRY(rebuild_index());
  return entries->find(key);
}

Result<EntryLocation> Repository::State::get_location(const EntryKey& key) {
  const std::uint64_t seen = refreshes_started.load();
  SATCHEL_ASSIGN(auto location, locate(key));
  if (!location) {
    SATCHEL_TRY(refresh_since(seen));
    SATCHEL_ASSIGN(location, locate(key));
  }
  if (!location) return missing_entry(key, folder.path());
  return *location;
}

Result<std::vector<std::byte>> Repository::State::read_entry(const EntryLocation& location) {
  SATCHEL_ASSIGN(auto fd, packs.open_shared(location.pack));
  auto raw = read_pack_entry(fd->get(), location.item);
  if (!raw && is_stale(raw.error())) {
    packs.close_shared();
    SATCHEL_ASSIGN(fd, packs.open_shared(location.pack));
    raw = read_pack_entry(fd->get(), location.item);
  }
  SATCHEL_TRY(raw);
  bytes_read += location.item.stored_bytes;
  if (location.item.key.type == EntryType::kChunk) content_bytes_read += location.item.stored_bytes;
  return raw;
}

Result<bool> Repository::has(const EntryKey& key) {
  SATCHEL_ASSIGN(const auto found, has_many({key}));
  return static_cast<bool>(found.front());
}

Result<std::vector<bool>> Repository::has_many(const std::vector<EntryKey>& keys) {
  SATCHEL_TRY(state_->folder.check());
  const std::uint64_t seen = state_->refreshes_started.load();
  std::vector<bool> found(keys.size(), false);
  for (const bool is_last_look : {false, true}) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (found[i]) continue;
      SATCHEL_ASSIGN(const auto location, state_->locate(keys[i]));
      found[i] = location.has_value();
    }
    const bool is_complete = std::ranges::find(found, false) == found.end();
    if (is_complete || is_last_look) break;
    SATCHEL_TRY(state_->refresh_since(seen));
  }
  return found;
}

Result<std::vector<std::byte>> Repository::get(const EntryKey& key) {
  SATCHEL_TRY(state_->folder.check());
  SATCHEL_ASSIGN(EntryLocation location, state_->get_location(key));
  auto raw = state_->read_entry(location);
  if (!raw && raw.error().code == ENOENT) {
    // The pack has gone, and what it held may have moved to another one.
    SATCHEL_TRY(refresh());
    SATCHEL_ASSIGN(location, state_->get_location(key));
    raw = state_->read_entry(location);
  }
  const auto verified = raw ? verify(key, *raw) : Result<void>(raw.error());
  if (verified) return raw;
  Error error = state_->folder.explain(verified.error());
  if (error.sat == Sat::kOffline) return error;
  error.path = pack_path(location.pack).text;
  if (error.hint.empty()) error.hint = "run: satchel fsck " + path().text;
  return error;
}

Result<Repository::NewPack> Repository::start_pack() {
  SATCHEL_TRY(state_->prepare_for_writing());
  NewPack pack{.fd = {}, .temporary_name = state_->new_nonce()};
  auto fd = state_->packs.start(pack.temporary_name);
  if (!fd) return state_->folder.explain(fd.error());
  pack.fd = *std::move(fd);
  return pack;
}

void Repository::discard_pack(const std::string& temporary_name) {
  state_->packs.discard(temporary_name);
}

Result<void> Repository::publish_pack(const std::string& temporary_name, const PackId& id,
                                      const std::vector<PackIndexItem>& items) {
  const auto published = state_->packs.publish(temporary_name, id);
  if (!published) return state_->folder.explain(published.error());
  SATCHEL_ASSIGN(PackIndex* const entries, state_->index());
  return entries->add(id, items);
}

Result<std::vector<PackId>> Repository::list_packs() {
  SATCHEL_TRY(state_->folder.check());
  auto packs = state_->packs.list();
  if (!packs) return state_->folder.explain(packs.error());
  return packs;
}

Result<UniqueFd> Repository::open_pack(const PackId& id) {
  SATCHEL_TRY(state_->folder.check());
  auto fd = state_->packs.open(id);
  if (!fd) return state_->folder.explain(fd.error());
  return fd;
}

HostPath Repository::pack_path(const PackId& id) const {
  return state_->packs.path_of(id);
}

Result<void> Repository::refresh() {
  return state_->refresh_since(state_->refreshes_started.load());
}

Result<std::optional<EntryLocation>> Repository::locate(const EntryKey& key) {
  return state_->locate(key);
}

Result<void> Repository::rebuild_index() {
  return state_->rebuild_index();
}

}  // namespace satchel::store
