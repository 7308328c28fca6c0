// All that the process of one mount holds: repository, store, view, mount, control socket, rounds.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/rule_source.h"
#include "fs/client_store.h"
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
  bool is_exported = false;               ///< as fs::MountOptions
  std::optional<LogLevel> log_to_stderr;  ///< absent: to the store's satchel.log
};

/// Opens everything, calls `usable` once the mount answers, and returns when it has ended and all
/// is in the store. Errors: those of opening a repository and a store, of mounting, of
/// load_rules(), and ENOENT/kNotFound (no such workspace or image).
Result<void> run_mount(const MountSessionOptions& options, const std::function<void()>& usable);

}  // namespace satchel::cli
