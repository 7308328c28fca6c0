#include "store/refs.h"

#include <algorithm>
#include <array>
#include <ostream>

namespace satchel::store {
namespace {

constexpr std::size_t kNameBytesMax = 63;
constexpr std::array<std::string_view, 6> kLayerKinds = {"boot", "os",      "group",
                                                         "app",  "sysdata", "data"};
constexpr std::array<std::string_view, 2> kReserved = {"images", "main"};

Error bad_name(std::string_view text, std::string_view rule) {
  return {.code = EINVAL,
          .sat = Sat::kBadName,
          .message = "'" + escape_for_display(text) + "': " + std::string(rule)};
}

bool is_lower_or_digit(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

Result<void> check_name(std::string_view text) {
  if (text.empty()) return bad_name(text, "a name is empty");
  if (text.size() > kNameBytesMax) return bad_name(text, "a name is longer than 63 letters");
  if (!is_lower_or_digit(text.front())) {
    return bad_name(text, "a name starts with a lower-case letter or a digit");
  }
  const auto is_allowed = [](char byte) {
    return is_lower_or_digit(byte) || byte == '.' || byte == '_' || byte == '-';
  };
  if (!std::ranges::all_of(text, is_allowed)) {
    return bad_name(text, "a name holds only lower-case letters, digits, '.', '_' and '-'");
  }
  if (std::ranges::find(kReserved, text) != kReserved.end()) {
    return bad_name(text, "this name is reserved");
  }
  return {};
}

}  // namespace

Result<RefName> RefName::layer(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad_name(text, "a layer is called KIND/NAME");
  if (std::ranges::find(kLayerKinds, text.substr(0, slash)) == kLayerKinds.end()) {
    return bad_name(text, "the kind of a layer is boot, os, group, app, sysdata or data");
  }
  SATCHEL_TRY(check_name(text.substr(slash + 1)));
  return RefName(RefKind::kLayer, std::string(text));
}

Result<RefName> RefName::image(std::string_view text) {
  SATCHEL_TRY(check_name(text));
  return RefName(RefKind::kImage, std::string(text));
}

Result<RefName> RefName::user(std::string_view text) {
  SATCHEL_TRY(check_name(text));
  return RefName(RefKind::kUser, std::string(text));
}

std::string RefName::layer_kind() const {
  return kind_ == RefKind::kLayer ? text_.substr(0, text_.find('/')) : std::string();
}

std::string RefName::folder() const {
  switch (kind_) {
    case RefKind::kLayer:
      return "layers/" + text_;
    case RefKind::kImage:
      return "images/" + text_;
    case RefKind::kUser:
      break;
  }
  return "users/" + text_;
}

std::ostream& operator<<(std::ostream& out, const RefName& name) {
  return out << name.folder();
}

RefKind RefRecord::kind() const {
  if (std::holds_alternative<LayerBody>(body)) return RefKind::kLayer;
  if (std::holds_alternative<ImageBody>(body)) return RefKind::kImage;
  return RefKind::kUser;
}

}  // namespace satchel::store
