#include "fs/open_contents.h"

#include <algorithm>

#include "fs/interruption.h"

namespace satchel::fs {
namespace {

constexpr std::uint64_t kAheadLeavesMin = 2;
constexpr std::uint64_t kAheadLeavesMax = 16;  // 1 MiB
constexpr std::chrono::milliseconds kInterruptionPoll{100};

}  // namespace

OpenContent::OpenContent(const store::ContentId& id, UniqueFd object)
    : id_(id), object_(std::move(object)) {}

OpenContent::OpenContent(const store::ContentId& id, std::shared_ptr<store::ObjectStore::Part> part)
    : id_(id), part_(std::move(part)) {
  leaves_.lock()->present.resize((id.size + store::kLeafBytes - 1) / store::kLeafBytes);
}

std::shared_ptr<const UniqueFd> OpenContent::object_of(const std::shared_ptr<OpenContent>& self) {
  if (!self || !self->is_object()) return nullptr;
  return {self, &self->object_};  // lives as long as the content
}

void OpenContent::mark_in_flight(Leaves& leaves, LeafRange range) {
  for (std::uint64_t leaf = range.first; leaf <= range.last; ++leaf) leaves.in_flight.insert(leaf);
}

Result<std::shared_ptr<OpenContent::Claim>> OpenContent::claim(
    const std::shared_ptr<OpenContent>& self, LeafRange range, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  auto leaves = leaves_.lock();
  const auto is_awaited = [&] {
    const auto next = leaves->in_flight.lower_bound(range.first);
    return next != leaves->in_flight.end() && *next <= range.last;
  };
  while (is_awaited()) {
    if (std::chrono::steady_clock::now() >= end) {
      return Error{.code = ETIMEDOUT,
                   .sat = Sat::kTimeout,
                   .message = "the repository did not answer in time",
                   .hint = "check the connection to the repository"};
    }
    changed_.wait_for(leaves.lock(), kInterruptionPoll);
    if (is_awaited() && InterruptionScope::is_interrupted()) return Error{.code = EINTR};
  }
  while (range.first <= range.last && leaves->present[range.first]) ++range.first;
  if (range.first > range.last) return std::shared_ptr<Claim>();
  while (leaves->present[range.last]) --range.last;
  mark_in_flight(*leaves, range);
  return std::make_shared<Claim>(self, range);
}

std::shared_ptr<OpenContent::Claim> OpenContent::claim_ahead(
    const std::shared_ptr<OpenContent>& self, LeafRange range) {
  auto leaves = leaves_.lock();
  range.last = std::min<std::uint64_t>(range.last, leaves->present.size() - 1);
  std::uint64_t end = range.first;
  while (end <= range.last && !leaves->present[end] && !leaves->in_flight.contains(end)) ++end;
  if (end == range.first) return nullptr;
  range.last = end - 1;
  mark_in_flight(*leaves, range);
  return std::make_shared<Claim>(self, range);
}

std::uint64_t OpenContent::note_read(std::uint64_t offset, std::uint64_t end) {
  auto leaves = leaves_.lock();
  if (leaves->sequential_offset == offset) {
    leaves->ahead = std::clamp(leaves->ahead * 2, kAheadLeavesMin, kAheadLeavesMax);
  } else {
    leaves->ahead = 0;
  }
  leaves->sequential_offset = end;
  return leaves->ahead;
}

void OpenContent::finish(LeafRange range, bool arrived) {
  {
    auto leaves = leaves_.lock();
    for (std::uint64_t leaf = range.first; leaf <= range.last; ++leaf) {
      leaves->in_flight.erase(leaf);
      if (arrived) leaves->present[leaf] = true;
    }
  }
  changed_.notify_all();
}

Result<std::shared_ptr<store::ContentReader>> OpenContent::reader(store::Repository& repository) {
  if (auto reader = leaves_.lock()->reader) return reader;
  // Two that come here at once both open one: cheaper than a lock held while the repository
  // answers.
  SATCHEL_ASSIGN(auto opened, store::ContentReader::open(repository, id_));
  auto shared = std::make_shared<store::ContentReader>(std::move(opened));
  leaves_.lock()->reader = shared;
  return shared;
}

Result<void> OpenContent::Claim::fetch(store::Repository& repository) {
  SATCHEL_ASSIGN(const auto reader, content_->reader(repository));
  SATCHEL_TRY(content_->part_->require(*reader, range_.first, range_.last));
  arrived_ = true;
  return {};
}

OpenContents::OpenContents(std::vector<store::ObjectStore*> stores, std::size_t contents_max)
    : stores_(std::move(stores)), contents_max_(contents_max) {}

std::shared_ptr<OpenContent> OpenContents::find_recent(const store::ContentId& id) {
  auto state = state_.lock();
  const auto found = state->by_id.find(id);
  if (found == state->by_id.end()) return nullptr;
  state->recent.splice(state->recent.begin(), state->recent, found->second);
  return *found->second;
}

Result<std::shared_ptr<OpenContent>> OpenContents::open_object(const store::ContentId& id) {
  for (store::ObjectStore* const objects : stores_) {
    SATCHEL_ASSIGN(auto object, objects->open_object(id));
    if (object) return keep(std::make_shared<OpenContent>(id, std::move(*object)));
  }
  return std::shared_ptr<OpenContent>();
}

Result<std::shared_ptr<OpenContent>> OpenContents::open(const store::ContentId& id) {
  if (auto recent = find_recent(id)) return recent;
  SATCHEL_ASSIGN(auto object, open_object(id));
  if (object) return object;
  SATCHEL_ASSIGN(auto part, stores_.back()->open_part(id));
  return keep(std::make_shared<OpenContent>(id, std::move(part)));
}

Result<std::shared_ptr<OpenContent>> OpenContents::find_object(const store::ContentId& id) {
  if (auto recent = find_recent(id)) {
    if (recent->is_object()) return recent;
    if (!recent->is_complete_part()) return std::shared_ptr<OpenContent>();
    forget(id);
  }
  return open_object(id);
}

std::shared_ptr<OpenContent> OpenContents::keep(std::shared_ptr<OpenContent> content) {
  std::shared_ptr<OpenContent> dropped;  // closed after the lock
  auto state = state_.lock();
  const auto found = state->by_id.find(content->id());
  if (found != state->by_id.end()) return *found->second;  // another thread was faster
  state->recent.push_front(content);
  state->by_id.emplace(content->id(), state->recent.begin());
  if (state->recent.size() > contents_max_) {
    dropped = std::move(state->recent.back());
    state->by_id.erase(dropped->id());
    state->recent.pop_back();
  }
  return content;
}

void OpenContents::forget(const store::ContentId& id) {
  auto state = state_.lock();
  const auto found = state->by_id.find(id);
  if (found == state->by_id.end()) return;
  state->recent.erase(found->second);
  state->by_id.erase(found);
}

}  // namespace satchel::fs
