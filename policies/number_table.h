// A hash table from 64-bit keys to numbers, one cache line for most look-ups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace satchel::policies {

/// Open addressing; only grows. A key may stand here several times. A value.
class NumberTable {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  void add(std::uint64_t key, std::uint32_t number) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    insert({key, number});
    ++size_;
  }

  /// The first number under `key` that `is_right` accepts, else kNone.
  template <typename IsRight>
  [[nodiscard]] std::uint32_t find(std::uint64_t key, const IsRight& is_right) const {
    for (std::size_t at = place_of(key);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.number == kNone) return kNone;
      if (slot.key == key && is_right(slot.number)) return slot.number;
    }
  }
  [[nodiscard]] std::uint32_t find(std::uint64_t key) const {
    return find(key, [](std::uint32_t) { return true; });
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t number = kNone;
  };

  [[nodiscard]] std::size_t place_of(std::uint64_t key) const {
    std::uint64_t mixed = key * 0x9E3779B97F4A7C15;  // Fibonacci hashing: the high bits are good
    mixed ^= mixed >> 32U;
    return static_cast<std::size_t>(mixed) & (slots_.size() - 1);
  }
  void insert(Slot slot) {
    std::size_t at = place_of(slot.key);
    while (slots_[at].number != kNone) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != kNone) insert(slot);
    }
  }

  std::vector<Slot> slots_ = std::vector<Slot>(16);
  std::size_t size_ = 0;
};

}  // namespace satchel::policies
