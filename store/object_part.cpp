#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "base/file_io.h"
#include "store/content_writer.h"
#include "store/format_error.h"
#include "store/object_store_state.h"
#include "store/part_map.h"

namespace satchel::store {
namespace {

// After so many new leaves (16 MiB) they are put on the medium and recorded.
constexpr std::uint64_t kUnsavedLeavesMax = 256;

std::string map_name(const std::string& part_name) {
  return part_name + ".map";
}

}  // namespace

struct ObjectStore::Part::State {
  struct Leaves {
    explicit Leaves(std::uint64_t count) : map(count) {}
    PartMap map;
    std::set<std::uint64_t> arriving;  // being fetched by some thread
    bool is_saving = false;
    bool has_inherited = false;  // some came from an earlier run, and were not verified by this one
    bool is_whole = false;
  };

  State(std::shared_ptr<ObjectStore::State> owner, const ContentId& content)
      : store(std::move(owner)), id(content), leaves(std::in_place, count_leaves(content.size)) {}

  void take_object(UniqueFd object);
  Result<void> open();
  Result<void> open_map(bool is_fresh);
  Result<void> require_leaf(ContentReader& reader, std::uint64_t leaf);
  Result<void> fetch(ContentReader& reader, std::uint64_t leaf) const;
  Result<void> save();
  Result<void> become_object();
  Result<void> verify_inherited();
  [[nodiscard]] Result<void> forget_map() const;

  const std::shared_ptr<ObjectStore::State> store;
  const ContentId id;
  std::string name;  // in parts/
  UniqueFd fd;
  UniqueFd map_fd;  // not valid: nothing is recorded
  Guarded<Leaves> leaves;
  std::condition_variable changed;  // of arriving and is_saving
};

void ObjectStore::Part::State::take_object(UniqueFd object) {
  fd = std::move(object);
  leaves.lock()->is_whole = true;
}

Result<void> ObjectStore::Part::State::open() {
  SATCHEL_ASSIGN(auto file, store->folders.try_lock(ObjectFolders::object_name(id)));
  const bool is_recorded = file.has_value();
  if (!is_recorded) {
    SATCHEL_ASSIGN(file, store->folders.create_temporary());
  }
  name = file->name;
  fd = std::move(file->fd);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_error(name, "cannot look at the part");
  if (::ftruncate(fd.get(), static_cast<off_t>(id.size)) != 0) {
    return file_error(name, "cannot set the size of the part");
  }
  return is_recorded ? open_map(status.st_size == 0) : Result<void>();
}

Result<void> ObjectStore::Part::State::open_map(bool is_fresh) {
  map_fd = UniqueFd(::openat(store->folders.parts_fd(), map_name(name).c_str(),
                             O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!map_fd.valid()) return file_error(map_name(name), "cannot open the map of the part");
  // The map that a lost part has left behind speaks of bytes that are not in this one.
  if (is_fresh) return forget_map();
  auto state = leaves.lock();
  SATCHEL_TRY(state->map.load(map_fd.get()));
  state->has_inherited = state->map.present() > 0;
  return {};
}

Result<void> ObjectStore::Part::State::require_leaf(ContentReader& reader, std::uint64_t leaf) {
  {
    auto state = leaves.lock();
    changed.wait(state.lock(), [&] { return !state->arriving.contains(leaf); });
    if (state->is_whole || state->map.has(leaf)) return {};
    state->arriving.insert(leaf);
  }
  Result<void> fetched = fetch(reader, leaf);
  bool must_save = false;
  {
    auto state = leaves.lock();
    state->arriving.erase(leaf);
    if (fetched) state->map.add(leaf);
    must_save = state->map.unsaved() >= kUnsavedLeavesMax && !state->map.is_whole();
  }
  changed.notify_all();
  SATCHEL_TRY(fetched);
  return must_save ? save() : Result<void>();
}

Result<void> ObjectStore::Part::State::fetch(ContentReader& reader, std::uint64_t leaf) const {
  SATCHEL_ASSIGN(const ContentReader::Leaf read, reader.read_leaf(leaf));
  // A hole is there already: the file was made sparse.
  return read.is_hole ? Result<void>() : pwrite_sparse(fd.get(), read.bytes, leaf * kLeafBytes);
}

// The records are made first, then the bytes that they speak of are synced, then they are written.
Result<void> ObjectStore::Part::State::save() {
  std::vector<PartMap::Record> records;
  {
    auto state = leaves.lock();
    if (!map_fd.valid() || state->is_saving || state->is_whole) return {};
    state->is_saving = true;
    records = state->map.take_changed();
  }
  Result<void> saved;
  if (!records.empty()) {
    saved = ::fdatasync(fd.get()) == 0 ? PartMap::write_records(map_fd.get(), records)
                                       : Result<void>(file_error(name, "cannot sync the part"));
  }
  leaves.lock()->is_saving = false;
  changed.notify_all();
  return saved;
}

Result<void> ObjectStore::Part::State::become_object() {
  bool has_inherited = false;
  {
    auto state = leaves.lock();
    changed.wait(state.lock(), [&] { return !state->is_saving; });
    if (state->is_whole || !state->map.is_whole()) return {};
    state->is_saving = true;  // nobody else saves or publishes now
    has_inherited = state->has_inherited;
  }
  Result<void> published = has_inherited ? verify_inherited() : Result<void>();
  // The map goes first: without its part it would lie to the next one of that name.
  if (published) published = forget_map();
  if (published) {
    published = store->folders.publish(id, fd.get(), store->folders.parts_fd(), name,
                                       ObjectDurability::kRefetchable);
  }
  if (published && map_fd.valid()) {
    // An empty map that stays behind is harmless.
    (void)::unlinkat(store->folders.parts_fd(), map_name(name).c_str(), 0);
  }
  {
    auto state = leaves.lock();
    state->is_saving = false;
    state->is_whole = published.has_value();
  }
  changed.notify_all();
  return published;
}

// Passthrough will hand the bytes out unread, so those of an earlier run are looked at once more.
Result<void> ObjectStore::Part::State::verify_inherited() {
  SATCHEL_ASSIGN(const ContentId found, hash_file(fd.get(), id.size));
  auto state = leaves.lock();
  state->has_inherited = false;
  if (found == id) return {};
  state->map.clear();
  SATCHEL_TRY(forget_map());
  return corrupted("a part of an earlier run does not match its content id");
}

Result<void> ObjectStore::Part::State::forget_map() const {
  if (!map_fd.valid() || ::ftruncate(map_fd.get(), 0) == 0) return {};
  return file_error(map_name(name), "cannot empty the map of the part");
}

ObjectStore::Part::Part(std::unique_ptr<State> state) : state_(std::move(state)) {}

ObjectStore::Part::~Part() {
  (void)state_->save();  // what is not saved is fetched again
  const auto store = state_->store;
  const ContentId id = state_->id;
  state_.reset();  // gives up the lock on the file
  store->parts.lock()->erase(id);
  store->part_closed.notify_all();
}

Result<void> ObjectStore::Part::require(ContentReader& reader, std::uint64_t first,
                                        std::uint64_t last) {
  if (first > last || last >= count_leaves(state_->id.size) || reader.id() != state_->id) {
    return Error{.code = EINVAL, .message = "no such leaf"};
  }
  for (std::uint64_t leaf = first; leaf <= last; ++leaf) {
    SATCHEL_TRY(state_->require_leaf(reader, leaf));
  }
  return state_->become_object();
}

bool ObjectStore::Part::has(std::uint64_t first, std::uint64_t last) const {
  const auto state = std::as_const(state_->leaves).lock();
  if (state->is_whole) return true;
  for (std::uint64_t leaf = first; leaf <= last; ++leaf) {
    if (!state->map.has(leaf)) return false;
  }
  return true;
}

int ObjectStore::Part::fd() const {
  return state_->fd.get();
}

bool ObjectStore::Part::is_whole() const {
  return std::as_const(state_->leaves).lock()->is_whole;
}

Result<std::shared_ptr<ObjectStore::Part>> ObjectStore::open_part(const ContentId& id) {
  SATCHEL_ASSIGN(auto object, open_object(id));  // may hash it, so not with the lock held
  auto parts = state_->parts.lock();
  while (true) {
    const auto known = parts->find(id);
    if (known == parts->end()) break;
    if (auto part = known->second.lock()) return part;
    state_->part_closed.wait(parts.lock());
  }
  auto state = std::make_unique<Part::State>(state_, id);
  if (object) {
    state->take_object(std::move(*object));
  } else {
    SATCHEL_TRY(state->open());
  }
  const std::shared_ptr<Part> part(new Part(std::move(state)));  // NOLINT: a private constructor
  parts->emplace(id, part);
  return part;
}

}  // namespace satchel::store
