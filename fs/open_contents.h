// The large contents in use: objects and parts held open, and which leaves of a part are on their
// way.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "store/content_reader.h"
#include "store/object_store.h"

namespace satchel::fs {

/// Leaves first…last of a content, both included.
struct LeafRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

/// One content above kSmallContentBytes, whole (an object) or arriving (a part). Thread-safe.
class OpenContent {
 public:
  OpenContent(const store::ContentId& id, UniqueFd object);
  OpenContent(const store::ContentId& id, std::shared_ptr<store::ObjectStore::Part> part);

  [[nodiscard]] const store::ContentId& id() const { return id_; }
  [[nodiscard]] bool is_object() const { return part_ == nullptr; }
  /// Every leaf is here, so that opening it anew gives an object.
  [[nodiscard]] bool is_complete_part() const { return part_ != nullptr && part_->is_whole(); }
  /// The whole content as a file; null unless is_object().
  static std::shared_ptr<const UniqueFd> object_of(const std::shared_ptr<OpenContent>& self);
  /// Bytes of leaves that are here stand at their own offset.
  [[nodiscard]] int fd() const { return part_ ? part_->fd() : object_.get(); }

  /// The right to fetch leaves; given back when the last copy of the pointer goes.
  class Claim;
  /// Claims those of `range` that are missing, after waiting for what others fetch of it; null if
  /// none is missing any more. Errors: ETIMEDOUT/kTimeout, EINTR.
  Result<std::shared_ptr<Claim>> claim(const std::shared_ptr<OpenContent>& self, LeafRange range,
                                       std::chrono::milliseconds deadline);
  /// Claims what is neither here nor on its way, up to the first that is; null if that is nothing.
  std::shared_ptr<Claim> claim_ahead(const std::shared_ptr<OpenContent>& self, LeafRange range);

  /// Tells that [offset, end) was read. How many leaves beyond `end` a sequential reader will want;
  /// 0 for others.
  std::uint64_t note_read(std::uint64_t offset, std::uint64_t end);

 private:
  struct Leaves {
    std::vector<bool> present;
    std::set<std::uint64_t> in_flight;
    std::shared_ptr<store::ContentReader> reader;
    std::optional<std::uint64_t> sequential_offset;
    std::uint64_t ahead = 0;
  };
  void mark_in_flight(Leaves& leaves, LeafRange range);
  void finish(LeafRange range, bool arrived);
  Result<std::shared_ptr<store::ContentReader>> reader(store::Repository& repository);

  store::ContentId id_;
  UniqueFd object_;
  std::shared_ptr<store::ObjectStore::Part> part_;
  Guarded<Leaves> leaves_;
  std::condition_variable changed_;
};

class OpenContent::Claim {
 public:
  Claim(std::shared_ptr<OpenContent> content, LeafRange range)
      : content_(std::move(content)), range_(range) {}
  ~Claim() { content_->finish(range_, arrived_); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  /// Reads the claimed leaves from the repository into the part. Errors: those of ContentReader and
  /// Part.
  Result<void> fetch(store::Repository& repository);

 private:
  std::shared_ptr<OpenContent> content_;
  LeafRange range_;
  bool arrived_ = false;
};

/// Keeps the contents that were used last open, up to a number. Thread-safe.
class OpenContents {
 public:
  /// `stores` are looked through in order; a content that none has whole arrives in the last one.
  OpenContents(std::vector<store::ObjectStore*> stores, std::size_t contents_max);

  /// Errors: those of ObjectStore.
  Result<std::shared_ptr<OpenContent>> open(const store::ContentId& id);
  /// As open(), but null if no store has it whole.
  Result<std::shared_ptr<OpenContent>> find_object(const store::ContentId& id);
  /// The next open() looks anew.
  void forget(const store::ContentId& id);

 private:
  using Recent = std::list<std::shared_ptr<OpenContent>>;
  struct State {
    Recent recent;  // most recently used first
    std::unordered_map<store::ContentId, Recent::iterator> by_id;
  };
  std::shared_ptr<OpenContent> find_recent(const store::ContentId& id);
  Result<std::shared_ptr<OpenContent>> open_object(const store::ContentId& id);
  std::shared_ptr<OpenContent> keep(std::shared_ptr<OpenContent> content);

  std::vector<store::ObjectStore*> stores_;
  std::size_t contents_max_;
  Guarded<State> state_;
};

}  // namespace satchel::fs
