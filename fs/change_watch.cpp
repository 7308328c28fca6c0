#include "fs/change_watch.h"

#include <utility>
#include <vector>

namespace satchel::fs {

void ChangeWatch::count(const RelativePath& path, store::Kind kind, std::uint32_t Counts::*what) {
  const auto seen = seen_.lock();
  auto found = seen->paths.find(path);
  if (found == seen->paths.end()) {
    if (seen->paths.size() >= kPathsMax) {
      ++seen->left_out;
      return;
    }
    found = seen->paths.try_emplace(path).first;
  }
  found->second.kind = kind;
  ++(found->second.*what);
}

void ChangeWatch::note_made(const RelativePath& path, store::Kind kind) {
  count(path, kind, &Counts::made);
}

void ChangeWatch::note_changed(const RelativePath& path, store::Kind kind) {
  count(path, kind, &Counts::changed);
}

void ChangeWatch::note_removed(const RelativePath& path, store::Kind kind) {
  count(path, kind, &Counts::removed);
}

void ChangeWatch::note_moved(const RelativePath& from, const RelativePath& to) {
  const auto seen = seen_.lock();
  std::vector<std::pair<RelativePath, Counts>> moved;
  const std::string below = from.text() + "/";
  for (auto at = seen->paths.lower_bound(from); at != seen->paths.end();) {
    // Between `from` and what is below it stand names like "from.x".
    if (!at->first.text().starts_with(from.text())) break;
    if (!at->first.text().starts_with(below)) {
      ++at;
      continue;
    }
    RelativePath path = to;
    RelativePath rest = RelativePath::parse(at->first.text().substr(below.size())).value();
    for (const Name& name : rest.names()) path = path / name;
    moved.emplace_back(std::move(path), at->second);
    at = seen->paths.erase(at);
  }
  for (auto& [path, counts] : moved) seen->paths.insert_or_assign(std::move(path), counts);
}

std::shared_ptr<ChangeWatch> ChangeWatches::add() {
  auto watch = std::make_shared<ChangeWatch>();
  const auto watches = watches_.lock();
  watches->push_back(watch);
  has_any_ = true;
  return watch;
}

void ChangeWatches::tell(const std::function<void(ChangeWatch&)>& what) {
  const auto watches = watches_.lock();
  std::erase_if(*watches, [](const auto& watch) { return watch.expired(); });
  has_any_ = !watches->empty();
  for (const auto& known : *watches) {
    if (const auto watch = known.lock()) what(*watch);
  }
}

}  // namespace satchel::fs
