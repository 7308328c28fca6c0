// All that the process of one mount holds: repository, store, view, mount, control socket, rounds.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/rule_source.h"
#include "fs/client_store.h"
#include "fs/daemon.h"
#include "fs/deadline_pool.h"
#include "fs/mount.h"
#include "store/refs.h"
#include "syncer/publish.h"

namespace satchel::cli {

/// Paths are absolute.
struct MountSessionOptions {
  HostPath repository;
  HostPath store;
  HostPath mount_point;
  HostPath runtime_directory;
  HostPath temporary_directory;
  HostPath scratch_parent{"/dev/shm"};      ///< a tmpfs, for what rules discard
  std::optional<store::RefName> user;       ///< a workspace …
  std::optional<syncer::RefVersion> image;  ///< … or an image, read-only
  std::string machine_id;
  std::string device;
  RuleSource rules;  ///< its user is the one above
  fs::TransportChoice transport = fs::TransportChoice::kAuto;
  unsigned fetch_threads = 4;
  std::chrono::milliseconds deadline =
      fs::kRepositoryDeadline;            ///< of each wait for the repository
  bool is_exported = false;               ///< as fs::MountOptions
  std::optional<LogLevel> log_to_stderr;  ///< absent: to the store's satchel.log
};

/// Opens everything, reports once the mount answers or cannot be made, and returns when it has
/// ended and all is in the store; if a thread of it never ends, the process does. Errors: those of
/// opening a repository and a store, of mounting, of load_rules(), ENOENT/kNotFound (no such
/// workspace or image), ETIMEDOUT/kTimeout (the repository does not answer).
Result<void> run_mount(const MountSessionOptions& options, const fs::StartReport& report);

}  // namespace satchel::cli
