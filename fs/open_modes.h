// How the kernel reads and writes the files that are open: through the daemon, or by itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <variant>

#include "base/unique_fd.h"
#include "fs/upper_rows.h"
#include "fs/view.h"

namespace satchel::fs {

/// The bytes behind an open file: a changed file's own, or a content of the base.
using BackingSource = std::variant<UpperId, store::ContentId>;

/// Keeps, for each node, in which way its open files are read and written. The kernel insists that
/// all of them go the same way, and that those which it reads and writes by itself (passthrough)
/// share one registration: so the first open file of a node decides, until the last is closed.
///
/// When the kernel refuses the first registration of a kind (not root, the store's filesystem
/// stands on another), all further files of that kind are served. Thread-safe.
class OpenModes {
 public:
  enum class Way : std::uint8_t {
    kServed,       ///< requests come to the daemon
    kPassthrough,  ///< the kernel uses `backing`
    kElsewhere,    ///< not opened: the kernel uses other bytes for this node
  };
  struct Mode {
    Way way = Way::kServed;
    BackingId backing{};
  };
  using OpenFile = std::function<Result<std::shared_ptr<const UniqueFd>>()>;

  /// Where files are registered (borrowed); null: everything is served.
  void set_registry(BackingRegistry* registry) { registry_ = registry; }
  [[nodiscard]] bool passes() const { return registry_ != nullptr; }

  /// Counts one more open file of `node`, which is about to read and write `wanted`, or has to be
  /// served if that is empty. `file` is called if `wanted` has to be registered; what it has null
  /// for is served. Errors: those of `file`.
  Result<Mode> open(NodeId node, const std::optional<BackingSource>& wanted, const OpenFile& file);
  /// One open file less.
  void close(NodeId node);
  /// What `node` has open is the same bytes under another name from now on.
  void rename_source(NodeId node, const BackingSource& source);
  /// The kernel reads and writes open files of `node` by itself.
  [[nodiscard]] bool is_passed(NodeId node) const;
  [[nodiscard]] bool is_served(NodeId node) const;

 private:
  struct Open {
    std::uint32_t files = 0;
    std::optional<BackingSource> source;  ///< empty: served
    BackingId backing{};
  };
  std::optional<BackingId> register_file(const BackingSource& source, int fd);

  std::atomic<BackingRegistry*> registry_ = nullptr;
  std::atomic<bool> refuses_own_ = false;
  std::atomic<bool> refuses_contents_ = false;
  mutable std::mutex mutex_;
  std::unordered_map<NodeId, Open> open_;
};

}  // namespace satchel::fs
