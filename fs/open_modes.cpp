#include "fs/open_modes.h"

namespace satchel::fs {

std::optional<BackingId> OpenModes::register_file(const BackingSource& source, int fd) {
  BackingRegistry* const registry = registry_.load();
  if (registry == nullptr) return std::nullopt;
  std::atomic<bool>& refuses =
      std::holds_alternative<UpperId>(source) ? refuses_own_ : refuses_contents_;
  if (refuses) return std::nullopt;
  const auto backing = registry->add(fd);
  if (backing) return *backing;
  // Out of memory passes; who may not, or on which filesystem, stays as it is.
  if (backing.error().code != ENOMEM) refuses = true;
  return std::nullopt;
}

Result<OpenModes::Mode> OpenModes::open(NodeId node, const std::optional<BackingSource>& wanted,
                                        const OpenFile& file) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(node);
  if (found != open_.end()) {
    Open& open = found->second;
    if (open.source && open.source != wanted) return Mode{.way = Way::kElsewhere, .backing = {}};
    ++open.files;
    if (!open.source) return Mode{};
    return Mode{.way = Way::kPassthrough, .backing = open.backing};
  }
  Open first{.files = 1, .source = {}, .backing = {}};
  if (wanted && passes()) {
    SATCHEL_ASSIGN(const auto opened, file());
    const auto backing = opened ? register_file(*wanted, opened->get()) : std::nullopt;
    if (backing) {
      first.source = wanted;
      first.backing = *backing;
    }
  }
  open_.emplace(node, first);
  if (!first.source) return Mode{};
  return Mode{.way = Way::kPassthrough, .backing = first.backing};
}

void OpenModes::close(NodeId node) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(node);
  SATCHEL_ASSERT(found != open_.end());
  if (--found->second.files > 0) return;
  const Open last = found->second;
  open_.erase(found);
  BackingRegistry* const registry = registry_.load();
  if (last.source && registry != nullptr) registry->remove(last.backing);
}

void OpenModes::rename_source(NodeId node, const BackingSource& source) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(node);
  if (found != open_.end() && found->second.source) found->second.source = source;
}

bool OpenModes::is_passed(NodeId node) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(node);
  return found != open_.end() && found->second.source.has_value();
}

bool OpenModes::is_served(NodeId node) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(node);
  return found != open_.end() && !found->second.source;
}

}  // namespace satchel::fs
