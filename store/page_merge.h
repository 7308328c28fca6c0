// Several sorted lists side by side, for whoever makes one of them.
#pragma once

#include <vector>

#include "store/page_editor.h"

namespace satchel::store {

/// Goes through directories in order of name, and says at each point either that one of them alone
/// has something up to a bound, so that its pages can be copied unread, or which of them have the
/// next name. Reads what it takes to know that and nothing else. Not thread-safe.
class PageMerge {
 public:
  using Cursor = PageCursor<Entry>;
  enum class Step : std::uint8_t {
    kEnd,
    kLookAgain,  ///< a page was read: pages that the lists share may have come into sight
    kRun,        ///< only list runner() has anything up to bound(): move it that far
    kNames,      ///< two or more lists are at the next name: see entry(), then call pass_names()
  };

  explicit PageMerge(std::vector<Cursor> lists) : lists_(std::move(lists)) {}

  Result<Step> step();
  [[nodiscard]] std::size_t runner() const { return first_; }
  /// Valid until a list other than runner() moves.
  [[nodiscard]] const KeyBound& bound() const { return bound_; }
  /// What list `i` has at the name; null if nothing.
  [[nodiscard]] const Entry* entry(std::size_t i) const;
  void pass_names();

  [[nodiscard]] std::size_t size() const { return lists_.size(); }
  [[nodiscard]] Cursor& list(std::size_t i) { return lists_[i]; }
  [[nodiscard]] const Cursor& list(std::size_t i) const { return lists_[i]; }

 private:
  std::vector<Cursor> lists_;
  std::size_t first_ = 0;
  KeyBound bound_ = KeyBound::none();
};

}  // namespace satchel::store
