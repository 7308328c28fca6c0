// A pattern of one name: `*.sock`, `control-?`, `[!.]*`.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::policies {

using ByteSet = std::bitset<256>;

/// One step of a glob. Names are sequences of bytes, so `?` and a set stand for one byte.
struct GlobToken {
  enum class Kind : unsigned char { kByte, kAnyByte, kSet, kStar };
  Kind kind = Kind::kByte;
  char byte = '\0';  ///< of kByte
  ByteSet set{};     ///< of kSet
  friend bool operator==(const GlobToken&, const GlobToken&) = default;
};

/// A value. Matching costs at most name length × tokens.
class Glob {
 public:
  explicit Glob(std::vector<GlobToken> tokens);

  [[nodiscard]] bool matches(std::string_view name) const;
  /// What every matching name begins, and ends, with. For a glob without a star they may overlap.
  [[nodiscard]] const std::string& beginning() const { return beginning_; }
  [[nodiscard]] const std::string& end() const { return end_; }
  /// In the form that the parser reads; equal globs have equal texts.
  [[nodiscard]] std::string text() const;
  /// `*`: every name.
  [[nodiscard]] bool is_any() const;

  friend bool operator==(const Glob&, const Glob&) = default;

 private:
  std::vector<GlobToken> tokens_;
  std::string beginning_;
  std::string end_;
};

/// Adds `byte` as a pattern has to write it to mean itself.
void append_escaped(std::string& text, char byte);

}  // namespace satchel::policies
