#include "cli/reference.h"

#include <fmt/format.h>

#include <charconv>

namespace satchel::cli {
namespace {

using store::RefName;
using store::VersionNumber;
using syncer::RefVersion;

constexpr std::string_view kUsers = "users/";
constexpr std::string_view kImages = "images/";
constexpr std::string_view kLayers = "layers/";

Error usage(std::string_view text, std::string_view what) {
  return {.code = EINVAL,
          .sat = Sat::kUsage,
          .message = std::string(what),
          .path = std::string(text),
          .hint = "write NAME@NUMBER, for example lab@1 or os/debian12@3"};
}

Result<VersionNumber> parse_number(std::string_view text, std::string_view digits) {
  VersionNumber number = 0;
  const auto* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc{} || rest != end || number == 0) {
    return usage(text, "what stands after @ is not the number of a version");
  }
  return number;
}

Result<RefVersion> with_number(std::string_view text, Result<RefName> (*make)(std::string_view)) {
  SATCHEL_ASSIGN(const Reference reference, parse_reference(text));
  SATCHEL_ASSIGN(auto name, make(reference.name));
  if (!reference.number || reference.path) return usage(text, "a version is needed here");
  return RefVersion{std::move(name), *reference.number};
}

Result<RefVersion> at_version(store::Repository& repository, const RefName& name,
                              const std::optional<VersionNumber>& number) {
  if (number) return RefVersion{name, *number};
  SATCHEL_ASSIGN(const auto head, repository.head(name));
  if (!head) {
    return Error{.code = ENOENT,
                 .sat = Sat::kNotFound,
                 .message = "the repository has nothing of this name",
                 .path = name.text()};
  }
  return RefVersion{name, *head};
}

Result<bool> is_there(store::Repository& repository, const RefName& name) {
  SATCHEL_ASSIGN(const auto head, repository.head(name));
  return head.has_value();
}

}  // namespace

Result<Reference> parse_reference(std::string_view text) {
  Reference reference;
  std::string_view rest = text;
  if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
    reference.path = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
  }
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const std::string_view digits = rest.substr(at + 1);
    if (digits != "main") {
      SATCHEL_ASSIGN(reference.number, parse_number(text, digits));
    }
    rest = rest.substr(0, at);
  }
  reference.name = std::string(rest);
  return reference;
}

Result<RefVersion> parse_layer_version(std::string_view text) {
  return with_number(text, RefName::layer);
}

Result<RefVersion> parse_image_version(std::string_view text) {
  return with_number(text, RefName::image);
}

Result<RefVersion> resolve(store::Repository& repository, const Reference& reference) {
  std::string_view name = reference.name;
  if (name.starts_with(kUsers)) {
    SATCHEL_ASSIGN(const auto user, RefName::user(name.substr(kUsers.size())));
    return at_version(repository, user, reference.number);
  }
  if (name.starts_with(kImages)) {
    SATCHEL_ASSIGN(const auto image, RefName::image(name.substr(kImages.size())));
    return at_version(repository, image, reference.number);
  }
  if (name.starts_with(kLayers)) name = name.substr(kLayers.size());
  if (name.find('/') != std::string_view::npos) {
    SATCHEL_ASSIGN(const auto layer, RefName::layer(name));
    return at_version(repository, layer, reference.number);
  }
  SATCHEL_ASSIGN(const auto user, RefName::user(name));
  SATCHEL_ASSIGN(const auto image, RefName::image(name));
  SATCHEL_ASSIGN(const bool is_user, is_there(repository, user));
  SATCHEL_ASSIGN(const bool is_image, is_there(repository, image));
  if (is_user && is_image) {
    return Error{.code = EINVAL,
                 .sat = Sat::kUsage,
                 .message = "there are a user and an image of this name",
                 .path = reference.name,
                 .hint = fmt::format("write users/{0} or images/{0}", reference.name)};
  }
  return at_version(repository, is_image ? image : user, reference.number);
}

}  // namespace satchel::cli
