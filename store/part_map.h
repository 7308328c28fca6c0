// Which leaves of an arriving content are there, and the file that remembers it.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/digest.h"
#include "base/unique_fd.h"
#include "store/recipe.h"

namespace satchel::store {

/// A set of leaves. Its file holds one checksummed record for each 16 MiB span that has any, at the
/// span's place, so neither memory nor disk grows with a sparse content's size. Not thread-safe.
class PartMap {
 public:
  explicit PartMap(std::uint64_t leaves) : leaves_(leaves) {}
  /// Adds what the file says. A record that is torn or damaged counts as empty. `fd` is borrowed.
  /// Errors: EIO (kIo).
  Result<void> load(int fd);

  [[nodiscard]] bool has(std::uint64_t leaf) const;
  [[nodiscard]] bool is_whole() const { return present_ == leaves_; }
  [[nodiscard]] std::uint64_t present() const { return present_; }
  void add(std::uint64_t leaf);
  void clear();

  /// Records that have changed since they were last taken; for write_records(), once the leaves in
  /// them are on the medium.
  struct Record {
    std::uint64_t span = 0;
    std::vector<std::byte> bytes;
  };
  std::vector<Record> take_changed();
  /// Leaves added since take_changed().
  [[nodiscard]] std::uint64_t unsaved() const { return unsaved_; }
  /// Errors: ENOSPC (kNoSpace), EIO (kIo).
  static Result<void> write_records(int fd, const std::vector<Record>& records);

 private:
  static constexpr std::size_t kSpanLeaves = kRecipeSpanBytes / kLeafBytes;
  using SpanLeaves = std::bitset<kSpanLeaves>;
  static std::vector<std::byte> encode(std::uint64_t span, const SpanLeaves& leaves);
  void load_record(std::uint64_t span, Bytes record);

  std::uint64_t leaves_;
  std::uint64_t present_ = 0;
  std::uint64_t unsaved_ = 0;
  std::map<std::uint64_t, SpanLeaves> spans_;
  std::set<std::uint64_t> changed_;
};

}  // namespace satchel::store
