#include "store/repository.h"

#include <unistd.h>

#include <algorithm>

#include "base/sha256.h"
#include "store/format_error.h"
#include "store/recipe.h"
#include "store/repository_state.h"

namespace satchel::store {
namespace {

Error missing_pack(const HostPath& path) {
  return {.code = ENOENT,
          .sat = Sat::kMissingContent,
          .message = "a pack that the version needs is gone",
          .path = path.text,
          .hint = "sync again"};
}

Error unknown_version(const RefName& name, VersionNumber number) {
  return {.code = ENOENT,
          .sat = Sat::kNotFound,
          .message = "there is no " + name.text() + "@" + std::to_string(number)};
}

Result<void> check_lengths(const RefRecord& record) {
  if (record.message.size() <= kRecordMessageBytesMax &&
      record.device.size() <= kRecordDeviceBytesMax) {
    return {};
  }
  return Error{.code = EMSGSIZE,
               .sat = Sat::kLimit,
               .message = "the message or the device's name is too long",
               .hint = "at most 4096 and 255 bytes"};
}

}  // namespace

Repository::State::State(const HostPath& path, const RepositoryId& id, RepositoryOptions chosen,
                         const Clock& its_clock, Random& randomness, Log its_log)
    : folder(path, id),
      packs(folder),
      refs(folder),
      options(std::move(chosen)),
      clock(its_clock),
      log(std::move(its_log)),
      random(std::in_place, &randomness) {}

std::string Repository::State::new_nonce() {
  RepositoryId nonce;
  (*random.lock())->fill(nonce.bytes);
  return nonce.hex();
}

Result<LinkSupport> Repository::State::prepare_for_writing() {
  SATCHEL_TRY(folder.check());
  const auto found = links.lock();
  if (!*found) {
    SATCHEL_ASSIGN(*found, probe_for_writing(folder, new_nonce()));
    if (*found == LinkSupport::kMissing) log.warn("repository-without-link commits=one-at-a-time");
  }
  return **found;
}

void Repository::State::start_index() {
  PackIndex::Options how{.directory = {}, .temporary_directory = options.temporary_directory};
  if (!options.index_directory.text.empty()) {
    how.directory = options.index_directory / folder.id().hex();
  }
  opened_index = std::async(std::launch::async, [this, how] {
    return std::make_shared<const Result<std::unique_ptr<PackIndex>>>(PackIndex::open(how, log));
  });
}

Result<PackIndex*> Repository::State::index() const {
  const OpenedIndex opened = opened_index.get();
  SATCHEL_TRY(*opened);
  return (*opened)->get();
}

Repository::Repository(std::unique_ptr<State> state) : state_(std::move(state)) {}
Repository::Repository(Repository&&) noexcept = default;
Repository& Repository::operator=(Repository&&) noexcept = default;
Repository::~Repository() = default;

Result<Repository> Repository::create(const HostPath& path, const RepositoryOptions& options,
                                      const Clock& clock, Random& random, const Log& log) {
  RepositoryId id;
  random.fill(id.bytes);
  SATCHEL_TRY(make_repository_folder(path, id));
  SATCHEL_ASSIGN(Repository repository, open(path, options, clock, random, log));
  SATCHEL_TRY(repository.state_->prepare_for_writing());
  return repository;
}

Result<Repository> Repository::open(const HostPath& path, const RepositoryOptions& options,
                                    const Clock& clock, Random& random, const Log& log) {
  SATCHEL_ASSIGN(const RepositoryId id, read_repository_format(path));
  auto state = std::make_unique<State>(path, id, options, clock, random, log);
  state->start_index();
  return Repository(std::move(state));
}

const RepositoryId& Repository::id() const {
  return state_->folder.id();
}
const HostPath& Repository::path() const {
  return state_->folder.path();
}
RepositoryFeatures Repository::features() const {
  const auto links = *state_->links.lock();
  return {.has_link = links != LinkSupport::kMissing,
          .is_writable = links.has_value() || ::access(path().c_str(), W_OK) == 0};
}
std::uint64_t Repository::bytes_read() const {
  return state_->bytes_read.load();
}
std::uint64_t Repository::content_bytes_read() const {
  return state_->content_bytes_read.load();
}

Error Repository::explain(Error error) const {
  return state_->folder.explain(std::move(error));
}

ChunkId Repository::name_chunk(Bytes bytes) const {
  return ChunkId{sha256(bytes)};
}

Result<void> Repository::verify(const EntryKey& key, Bytes raw) const {
  switch (key.type) {
    case EntryType::kChunk:
      if (name_chunk(raw).bytes == key.id) return {};
      break;
    case EntryType::kRecipe:
      // Under the content's name and not its own: whoever reads the content checks it leaf by leaf.
      if (decode_recipe(raw)) return {};
      break;
    case EntryType::kDirectoryPage:
    case EntryType::kLinkPage:
    case EntryType::kRecipePage:
    case EntryType::kXattrSet:
    case EntryType::kRoot:
      if (sha256(raw) == key.id) return {};
      break;
  }
  return corrupted("wrong bytes for the " + to_text(key));
}

Result<std::vector<RefName>> Repository::list_names(RefKind kind) {
  SATCHEL_TRY(state_->folder.check());
  auto names = state_->refs.list_names(kind);
  if (!names) return state_->folder.explain(names.error());
  return names;
}

Result<std::vector<VersionNumber>> Repository::list_versions(const RefName& name) {
  SATCHEL_TRY(state_->folder.check());
  auto numbers = state_->refs.list_versions(name.folder());
  if (!numbers) return state_->folder.explain(numbers.error());
  return numbers;
}

Result<std::optional<VersionNumber>> Repository::head(const RefName& name) {
  SATCHEL_TRY(state_->folder.check());
  auto head = state_->refs.head(name.folder());
  if (!head) return state_->folder.explain(head.error());
  return head;
}

/// A record that is where it belongs, and its hash.
Result<std::pair<RefRecord, RecordHash>> Repository::read_record(const RefName& name,
                                                                 VersionNumber number) {
  SATCHEL_TRY(state_->folder.check());
  const auto bytes = state_->refs.read(name.folder(), number);
  if (!bytes) {
    const Error error = state_->folder.explain(bytes.error());
    return error.code == ENOENT ? unknown_version(name, number) : error;
  }
  auto record = decode_record(*bytes);
  if (record && (record->repository != id() || record->kind() != name.kind() ||
                 record->name != name.text() || record->number != number)) {
    record = contradiction("the record says that it is another one");
  }
  if (!record) {
    Error error = record.error();
    error.path = state_->refs.path_of(name.folder(), number).text;
    if (error.hint.empty()) error.hint = "run: satchel fsck " + path().text;
    return error;
  }
  return std::pair(*std::move(record), record_hash(*bytes));
}

Result<RefRecord> Repository::read_ref(const RefName& name, VersionNumber number) {
  SATCHEL_ASSIGN(auto found, read_record(name, number));
  return std::move(found.first);
}

Result<RecordHash> Repository::hash_ref(const RefName& name, VersionNumber number) {
  SATCHEL_ASSIGN(const auto found, read_record(name, number));
  return found.second;
}

Result<void> Repository::check_packs(const std::vector<PackId>& packs) const {
  for (const PackId& pack : packs) {
    const HostPath path = pack_path(pack);
    if (::access(path.c_str(), F_OK) == 0) continue;
    SATCHEL_TRY(state_->folder.check());
    return missing_pack(path);
  }
  return {};
}

Result<RefRecord> Repository::commit(const RefName& name, RefRecord record,
                                     const std::vector<PackId>& relied_on) {
  SATCHEL_ASSERT(record.kind() == name.kind() && record.number > 0);
  SATCHEL_ASSIGN(const LinkSupport links, state_->prepare_for_writing());
  SATCHEL_ASSIGN(const auto newest, head(name));
  if (newest.value_or(0) >= record.number) {
    return lost_race_error(name.folder(), record.number);
  }
  record.parent = {};
  if (record.number > 1) {
    const auto parent = hash_ref(name, record.number - 1);
    if (!parent && parent.error().code == ENOENT) {
      return contradiction(name.text() + " has lost versions that this one follows");
    }
    SATCHEL_TRY(parent);
    record.parent = *parent;
  }
  record.repository = id();
  record.name = name.text();
  record.time = state_->clock.now();
  record.device = state_->options.device;
  SATCHEL_TRY(check_lengths(record));
  (*state_->random.lock())->fill(record.nonce);

  SATCHEL_TRY(check_packs(relied_on));
  const auto committed = state_->refs.commit({.folder = name.folder(),
                                              .number = record.number,
                                              .nonce = to_hex(record.nonce),
                                              .record = encode_record(record)},
                                             links);
  if (!committed) return state_->folder.explain(committed.error());
  SATCHEL_TRY(check_packs(relied_on));
  return record;
}

}  // namespace satchel::store
