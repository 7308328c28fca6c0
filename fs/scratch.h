// A folder in memory for the bytes of what rules discard.
#pragma once

#include <optional>

#include "base/log.h"
#include "base/path.h"
#include "base/unique_fd.h"

namespace satchel::fs {

/// An empty folder of its own below a tmpfs, that only its owner can enter. It goes with all that
/// is in it: at the end, or, after a crash, when it is made the next time. What is in memory can
/// reach a disk by the host's swap alone.
class Scratch {
 public:
  /// `name` says whose it is: two at once must have different names. None: `parent` is no tmpfs,
  /// or refuses; then there is no scratch, which is logged.
  static std::optional<Scratch> make(const HostPath& parent, std::string_view name, const Log& log);
  ~Scratch();
  Scratch(Scratch&& other) noexcept;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Scratch& operator=(Scratch&&) = delete;

  /// A descriptor of the folder.
  [[nodiscard]] Result<UniqueFd> open() const;

 private:
  Scratch(UniqueFd parent, std::string name) : parent_(std::move(parent)), name_(std::move(name)) {}
  UniqueFd parent_;
  std::string name_;
};

}  // namespace satchel::fs
