// What a redirect rule says of a path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace satchel::policies {

enum class Action : std::uint8_t {
  kSync,     ///< travels with the person
  kMachine,  ///< kept per machine id, backed up, applied only there
  kLocal,    ///< stays on this device
  kDiscard,  ///< scratch, gone at unmount
  kImage,    ///< belongs to a layer; writes go to the personal app layer
  kDeny,     ///< EPERM
};
enum class DataClass : std::uint8_t { kData, kSysdata, kApp };

std::string_view to_text(Action action);
std::string_view to_text(DataClass data_class);

/// The answer for one path. A value.
struct Decision {
  Action action = Action::kSync;
  DataClass data_class = DataClass::kSysdata;
  std::string_view rule;    ///< the deciding rule's text; lives as long as the rule set
  std::string_view origin;  ///< "file:line", or "built-in"
  /// It is part of a snapshot: sync, machine or image.
  [[nodiscard]] bool travels() const {
    return action == Action::kSync || action == Action::kMachine || action == Action::kImage;
  }
  friend bool operator==(const Decision&, const Decision&) = default;
};

}  // namespace satchel::policies
