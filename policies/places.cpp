#include "policies/places.h"

#include <algorithm>
#include <array>

namespace satchel::policies {
namespace {

constexpr std::array<std::string_view, 13> kVariables = {
    "XDG_CACHE_HOME",      "XDG_CONFIG_HOME",  "XDG_DATA_HOME",  "XDG_DESKTOP_DIR",
    "XDG_DOCUMENTS_DIR",   "XDG_DOWNLOAD_DIR", "XDG_MUSIC_DIR",  "XDG_PICTURES_DIR",
    "XDG_PUBLICSHARE_DIR", "XDG_RUNTIME_DIR",  "XDG_STATE_HOME", "XDG_TEMPLATES_DIR",
    "XDG_VIDEOS_DIR"};
/// Below the home directory, in the same order; empty: no default.
constexpr std::array<std::string_view, kVariables.size()> kDefaults = {
    ".cache", ".config", ".local/share", "Desktop",   "Documents", "Downloads", "Music", "Pictures",
    "Public", "",        ".local/state", "Templates", "Videos"};

}  // namespace

std::span<const std::string_view> known_variables() {
  return kVariables;
}

std::optional<RelativePath> place_of(const Home& home, std::string_view variable) {
  RelativePath place;
  if (const auto given = home.variables.find(variable); given != home.variables.end()) {
    place = given->second;
  } else {
    const auto known = std::ranges::find(kVariables, variable);
    SATCHEL_ASSERT(known != kVariables.end());
    const std::string_view below = kDefaults[static_cast<std::size_t>(known - kVariables.begin())];
    if (below.empty()) return std::nullopt;
    place = home.path;
    Result<RelativePath> rest = RelativePath::parse(below);
    SATCHEL_ASSERT(rest.has_value());
    for (const Name& name : rest->names()) place = place / name;
  }
  if (home.path.is_within(place)) return std::nullopt;
  return place;
}

}  // namespace satchel::policies
