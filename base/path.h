// Paths by what they mean: a name in a directory, a path inside a tree, a path on the host.
#pragma once

#include <compare>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace satchel {

/// One name in a directory: 1…255 bytes, no '/', no NUL, not "." or "..". Any other byte may occur.
class Name {
 public:
  static constexpr std::size_t kBytesMax = 255;
  /// Errors: EINVAL, ENAMETOOLONG.
  static Result<Name> parse(std::string_view text);
  /// For names that the caller has checked already (the kernel, a verified page). Asserts.
  static Name checked(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }
  friend auto operator<=>(const Name&, const Name&) = default;

 private:
  explicit Name(std::string_view text) : text_(text) {}
  std::string text_;
};
std::ostream& operator<<(std::ostream& out, const Name& name);

/// A path inside a tree, from its root, without a leading '/'; empty is the root itself.
class RelativePath {
 public:
  RelativePath() = default;
  /// Accepts leading, doubled and trailing slashes; refuses "." and "..". Errors: EINVAL,
  /// ENAMETOOLONG.
  static Result<RelativePath> parse(std::string_view text);

  [[nodiscard]] bool is_root() const { return text_.empty(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// "/" + text(): as it is shown to people.
  [[nodiscard]] std::string absolute() const { return "/" + text_; }
  [[nodiscard]] RelativePath operator/(const Name& name) const;
  [[nodiscard]] std::vector<Name> names() const;
  /// The containing directory; the root's parent is the root.
  [[nodiscard]] RelativePath parent() const;
  /// The last name; asserts on the root.
  [[nodiscard]] Name name() const;
  /// `this` is `other` or inside it.
  [[nodiscard]] bool is_within(const RelativePath& other) const;

  friend auto operator<=>(const RelativePath&, const RelativePath&) = default;

 private:
  std::string text_;
};
std::ostream& operator<<(std::ostream& out, const RelativePath& path);

/// A path on the host, as a person or the configuration gave it. Only for `cli/` and opening roots.
struct HostPath {
  std::string text;
  [[nodiscard]] HostPath operator/(std::string_view more) const {
    return {text + "/" + std::string(more)};
  }
  [[nodiscard]] const char* c_str() const { return text.c_str(); }
  friend auto operator<=>(const HostPath&, const HostPath&) = default;
};
std::ostream& operator<<(std::ostream& out, const HostPath& path);

/// Bytes that a terminal or log can show: control bytes, quotes and backslash as C escapes.
std::string escape_for_display(std::string_view bytes);

}  // namespace satchel
