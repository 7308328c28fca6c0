#include "fs/content_fetch.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <set>

#include "base/file_io.h"
#include "fs/open_contents.h"

namespace satchel::fs {
namespace {

constexpr std::uint64_t kCopyStepBytes = 8U << 20U;  // one deadline covers this much
constexpr std::size_t kCopyBufferBytes = 1U << 20U;

std::string_view small_key(const store::ContentId& id) {
  return as_text(id.digest.bytes);
}

std::string all_zeros(std::uint64_t size) {
  std::string zeros(size, '\0');
  return zeros;
}

Result<void> copy_by_buffer(int from, int to, std::uint64_t offset, std::uint64_t end) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(end - offset, kCopyBufferBytes));
  while (offset < end) {
    const std::span wanted(buffer.data(), std::min<std::uint64_t>(end - offset, buffer.size()));
    SATCHEL_ASSIGN(const std::size_t size, pread_all(from, wanted, offset));
    if (size == 0) return Error{.code = EIO, .sat = Sat::kIo, .message = "an object ended early"};
    SATCHEL_TRY(pwrite_all(to, Bytes(buffer).first(size), offset));
    offset += size;
  }
  return {};
}

/// One stretch of data. copy_file_range shares extents where the filesystem can, and is refused
/// between some filesystems.
Result<void> copy_data(int from, int to, std::uint64_t offset, std::uint64_t end) {
  while (offset < end) {
    auto from_offset = static_cast<off_t>(offset);
    auto to_offset = static_cast<off_t>(offset);
    const ssize_t copied = ::copy_file_range(from, &from_offset, to, &to_offset, end - offset, 0);
    if (copied <= 0) return copy_by_buffer(from, to, offset, end);
    offset += static_cast<std::uint64_t>(copied);
  }
  return {};
}

Result<void> copy_sparse_file(int from, int to, std::uint64_t size) {
  if (::ioctl(to, FICLONE, from) == 0) return {};
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) return file_error({}, "make room for a copy");
  std::uint64_t offset = 0;
  while (offset < size) {
    const off_t data = ::lseek(from, static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return {};  // hole up to the end
    if (data < 0) return copy_data(from, to, offset, size);
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0) return file_error({}, "find the end of a file's data");
    const auto end = std::min<std::uint64_t>(static_cast<std::uint64_t>(hole), size);
    SATCHEL_TRY(copy_data(from, to, static_cast<std::uint64_t>(data), end));
    offset = end;
  }
  return {};
}

LeafRange leaves_of(std::uint64_t offset, std::uint64_t end) {
  return {.first = offset / store::kLeafBytes, .last = (end - 1) / store::kLeafBytes};
}

}  // namespace

struct ContentFetch::State {
  State(const ContentPlaces& given, const ContentFetchOptions& limits)
      : places(given),
        options(limits),
        large(stores_of(given), limits.open_contents_max),
        pool(limits.threads) {}

  static std::vector<store::ObjectStore*> stores_of(const ContentPlaces& given) {
    if (&given.shared_objects == &given.own_objects) return {&given.own_objects};
    return {&given.shared_objects, &given.own_objects};
  }

  class SmallFlight;

  Result<std::optional<std::string>> find_small(const store::ContentId& id);
  Result<std::string> get_small(const store::ContentId& id);
  Result<void> fetch_small(const store::ContentId& id);
  /// For when there is no room to keep what was fetched. `offset` < `end` <= size.
  Result<std::string> read_unkept(const store::ContentId& id, std::uint64_t offset,
                                  std::uint64_t end);
  Result<std::shared_ptr<OpenContent>> require(const store::ContentId& id, std::uint64_t offset,
                                               std::uint64_t end);
  void read_ahead(const std::shared_ptr<OpenContent>& content, std::uint64_t offset,
                  std::uint64_t end);

  ContentPlaces places;
  ContentFetchOptions options;
  OpenContents large;
  Guarded<std::set<store::ContentId>> small_in_flight;
  std::condition_variable small_arrived;
  DeadlinePool pool;  // last: its threads use what stands above
};

/// While it lives, nobody else fetches the same small content; it waits for who does.
class ContentFetch::State::SmallFlight {
 public:
  SmallFlight(State& state, const store::ContentId& id) : state_(state), id_(id) {
    auto in_flight = state_.small_in_flight.lock();
    state_.small_arrived.wait(in_flight.lock(), [&] { return !in_flight->contains(id_); });
    in_flight->insert(id_);
  }
  ~SmallFlight() {
    state_.small_in_flight.lock()->erase(id_);
    state_.small_arrived.notify_all();
  }
  SmallFlight(const SmallFlight&) = delete;
  SmallFlight& operator=(const SmallFlight&) = delete;

 private:
  State& state_;
  store::ContentId id_;
};

Result<std::optional<std::string>> ContentFetch::State::find_small(const store::ContentId& id) {
  SATCHEL_ASSIGN(auto bytes, places.metadata.get(places.small_contents, small_key(id)));
  if (bytes && store::content_id_of(as_bytes(*bytes)) != id) {
    places.log.warn("small_content_damaged, fetching it again");
    return std::optional<std::string>();
  }
  return bytes;
}

Result<void> ContentFetch::State::fetch_small(const store::ContentId& id) {
  SATCHEL_ASSIGN(auto reader, store::ContentReader::open(places.repository, id));
  SATCHEL_ASSIGN(const auto leaf, reader.read_leaf(0));
  const std::string zeros = leaf.is_hole ? all_zeros(id.size) : std::string();
  store::MetadataBatch batch;
  batch.put(places.small_contents, small_key(id),
            leaf.is_hole ? std::string_view(zeros) : as_text(leaf.bytes));
  return places.metadata.write(batch);
}

Result<std::string> ContentFetch::State::get_small(const store::ContentId& id) {
  SATCHEL_ASSIGN(auto here, find_small(id));
  if (here) return std::move(*here);
  // The job owns what it needs, for it may outlive the wait. `this` outlives the pool's threads.
  const auto fetched = pool.run(
      [this, id]() -> Result<void> {
        const SmallFlight flight(*this, id);
        SATCHEL_ASSIGN(const auto known, find_small(id));  // somebody else may have fetched it
        if (known) return {};
        return fetch_small(id);
      },
      options.deadline);
  if (!fetched && is_full(fetched.error())) return read_unkept(id, 0, id.size);
  SATCHEL_TRY(fetched);
  SATCHEL_ASSIGN(here, find_small(id));
  if (here) return std::move(*here);
  return Error{.code = EBADMSG,
               .sat = Sat::kCorrupted,
               .message = "a content kept in the store does not match its hash",
               .hint = "check the store's disk"};
}

Result<std::string> ContentFetch::State::read_unkept(const store::ContentId& id,
                                                     std::uint64_t offset, std::uint64_t end) {
  const LeafRange range = leaves_of(offset, end);
  const auto bytes = std::make_shared<std::string>();  // the job may outlive the wait
  SATCHEL_TRY(pool.run(
      [this, id, range, bytes]() -> Result<void> {
        SATCHEL_ASSIGN(auto reader, store::ContentReader::open(places.repository, id));
        for (std::uint64_t index = range.first; index <= range.last; ++index) {
          SATCHEL_ASSIGN(const auto leaf, reader.read_leaf(index));
          const std::uint64_t begin = index * store::kLeafBytes;
          if (leaf.is_hole) {
            bytes->append(std::min<std::uint64_t>(store::kLeafBytes, id.size - begin), '\0');
          } else {
            bytes->append(as_text(leaf.bytes));
          }
        }
        return {};
      },
      options.deadline));
  return bytes->substr(offset - range.first * store::kLeafBytes, end - offset);
}

Result<std::shared_ptr<OpenContent>> ContentFetch::State::require(const store::ContentId& id,
                                                                  std::uint64_t offset,
                                                                  std::uint64_t end) {
  SATCHEL_ASSIGN(auto content, large.open(id));
  if (content->is_object()) return content;
  SATCHEL_ASSIGN(auto claim, content->claim(content, leaves_of(offset, end), options.deadline));
  if (claim) {
    SATCHEL_TRY(
        pool.run([this, claim = std::move(claim)] { return claim->fetch(places.repository); },
                 options.deadline));
  }
  if (content->is_complete_part()) large.forget(id);
  return content;
}

void ContentFetch::State::read_ahead(const std::shared_ptr<OpenContent>& content,
                                     std::uint64_t offset, std::uint64_t end) {
  const std::uint64_t ahead = content->note_read(offset, end);
  if (ahead == 0 || content->is_object() || end >= content->id().size) return;
  const std::uint64_t next = (end + store::kLeafBytes - 1) / store::kLeafBytes;
  if (next * store::kLeafBytes >= content->id().size) return;
  auto claim = content->claim_ahead(content, {.first = next, .last = next + ahead - 1});
  if (!claim) return;
  pool.start([this, claim = std::move(claim)] { return claim->fetch(places.repository); });
}

ContentFetch::ContentFetch(const ContentPlaces& places, const ContentFetchOptions& options)
    : state_(std::make_unique<State>(places, options)) {}
ContentFetch::~ContentFetch() = default;

Result<std::size_t> ContentFetch::read(const store::ContentId& id, std::uint64_t offset,
                                       std::span<std::byte> out) {
  if (offset >= id.size || out.empty()) return std::size_t{0};
  const std::uint64_t end = offset + std::min<std::uint64_t>(out.size(), id.size - offset);
  const auto wanted = out.first(end - offset);
  if (id.size <= kSmallContentBytes) {
    SATCHEL_ASSIGN(const std::string bytes, state_->get_small(id));
    std::memcpy(wanted.data(), bytes.data() + offset, wanted.size());
    return wanted.size();
  }
  auto required = state_->require(id, offset, end);
  if (!required && is_full(required.error())) {
    SATCHEL_ASSIGN(const std::string bytes, state_->read_unkept(id, offset, end));
    std::memcpy(wanted.data(), bytes.data(), wanted.size());
    return wanted.size();
  }
  SATCHEL_ASSIGN(const auto content, std::move(required));
  SATCHEL_ASSIGN(const std::size_t size, pread_all(content->fd(), wanted, offset));
  if (size != wanted.size()) {
    return Error{.code = EIO, .sat = Sat::kIo, .message = "an object ended early"};
  }
  state_->read_ahead(content, offset, end);
  return size;
}

Result<std::shared_ptr<const UniqueFd>> ContentFetch::find_file(const store::ContentId& id) {
  if (id.size <= kSmallContentBytes) return std::shared_ptr<const UniqueFd>();
  SATCHEL_ASSIGN(const auto object, state_->large.find_object(id));
  return OpenContent::object_of(object);
}

Result<void> ContentFetch::copy_to(const store::ContentId& id, int fd) {
  if (id.is_empty()) return {};
  if (id.size <= kSmallContentBytes) {
    SATCHEL_ASSIGN(const std::string bytes, state_->get_small(id));
    if (::ftruncate(fd, static_cast<off_t>(id.size)) != 0) {
      return file_error({}, "make room for a copy");
    }
    return pwrite_sparse(fd, as_bytes(bytes), 0);
  }
  std::shared_ptr<OpenContent> content;
  for (std::uint64_t offset = 0; offset < id.size; offset += kCopyStepBytes) {
    const std::uint64_t end = std::min(offset + kCopyStepBytes, id.size);
    SATCHEL_ASSIGN(content, state_->require(id, offset, end));
    if (content->is_object()) break;
  }
  return copy_sparse_file(content->fd(), fd, id.size);
}

Result<void> ContentFetch::adopt(const store::ContentId& id, int directory_fd, const char* name) {
  if (id.size > kSmallContentBytes) {
    SATCHEL_TRY(state_->places.own_objects.adopt(id, directory_fd, name));
    state_->large.forget(id);
    return {};
  }
  if (!id.is_empty()) {
    SATCHEL_ASSIGN(const auto bytes,
                   read_file(directory_fd, Name::checked(name), kSmallContentBytes));
    // The caller has hashed the file, but it might have changed since: then it is not this content.
    if (store::content_id_of(bytes) != id) {
      return Error{.code = EBADMSG, .sat = Sat::kCorrupted, .message = "the file changed"};
    }
    store::MetadataBatch batch;
    batch.put(state_->places.small_contents, small_key(id), as_text(bytes));
    SATCHEL_TRY(state_->places.metadata.write(batch));
  }
  if (::unlinkat(directory_fd, name, 0) != 0) return file_error(name, "remove an adopted file");
  return {};
}

Result<ContentFetch::Counts> ContentFetch::counts() const {
  Counts counts{.bytes_from_repository = state_->places.repository.content_bytes_read()};
  SATCHEL_ASSIGN(counts.bytes_on_disk, state_->places.own_objects.bytes_on_disk());
  if (&state_->places.shared_objects != &state_->places.own_objects) {
    SATCHEL_ASSIGN(const auto shared, state_->places.shared_objects.bytes_on_disk());
    counts.bytes_on_disk += shared;
  }
  return counts;
}

}  // namespace satchel::fs
