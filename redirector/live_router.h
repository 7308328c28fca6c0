// The router of a mount, whose rules can be read again while it is in use.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/guarded.h"
#include "redirector/router.h"

namespace satchel::redirector {

/// Answers as the router that was put in last. Those that were replaced are kept, for the texts of
/// their decisions may be in use: rules change when a person edits them, so they are few.
///
/// Thread-safe, replace() too. Whoever needs several answers of one mind asks current().
class LiveRouter final : public Router {
 public:
  explicit LiveRouter(std::unique_ptr<const Router> first);

  [[nodiscard]] policies::Decision decide(const RelativePath& path,
                                          store::Kind kind) const override;
  [[nodiscard]] Coverage coverage_below(const RelativePath& directory) const override;
  [[nodiscard]] std::shared_ptr<const RoutedDirectory> enter(
      const RelativePath& directory) const override;
  [[nodiscard]] std::uint64_t edition() const override { return edition_.load(); }
  [[nodiscard]] store::RulesId rules_id() const override;

  /// Lives as long as this.
  [[nodiscard]] const Router& current() const { return *current_.load(); }
  /// One that decides as the current one does is dropped; false then.
  bool replace(std::unique_ptr<const Router> next);

 private:
  Guarded<std::vector<std::unique_ptr<const Router>>> routers_;  ///< the current one is the last
  std::atomic<const Router*> current_;
  std::atomic<std::uint64_t> edition_ = 0;  ///< moves after current_
};

}  // namespace satchel::redirector
