#include "policies/glob_index.h"

namespace satchel::policies {

void GlobIndex::add(const Glob& glob, std::uint32_t number) {
  const std::string& beginning = glob.beginning();
  const std::string& end = glob.end();
  const auto place = static_cast<std::uint32_t>(globs_.size());
  if (beginning.empty() && end.empty()) {
    others_.push_back(place);
  } else if (beginning.size() >= end.size()) {
    by_beginning_.add(beginning.begin(), beginning.end(), place);
  } else {
    by_end_.add(end.rbegin(), end.rend(), place);
  }
  globs_.push_back({glob, number});
}

void GlobIndex::find(std::string_view name, std::vector<std::uint32_t>& found) const {
  const auto try_glob = [&](std::uint32_t place) {
    const NumberedGlob& candidate = globs_[place];
    if (candidate.glob.matches(name)) found.push_back(candidate.number);
  };
  by_beginning_.each_beginning_of(name.begin(), name.end(), try_glob);
  by_end_.each_beginning_of(name.rbegin(), name.rend(), try_glob);
  for (const std::uint32_t place : others_) try_glob(place);
}

}  // namespace satchel::policies
