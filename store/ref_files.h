// The ref files of a repository: names, numbers, records' bytes, and the race for the next number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "store/refs.h"
#include "store/repository_folder.h"
#include "store/write_probe.h"

namespace satchel::store {

/// A record on its way: where it goes, and the nonce by which its writer knows it again.
struct NewRef {
  std::string folder;  ///< RefName::folder()
  VersionNumber number = 0;
  std::string nonce;  ///< hexadecimal; names the temporary file
  std::vector<std::byte> record;
};

/// EAGAIN (kLostRace).
Error lost_race_error(const std::string& folder, VersionNumber number);

/// Knows files and numbers; of records only that equal bytes are the same one. Errors are as the
/// calls give them, with the path; RepositoryFolder::explain() says what they mean. Thread-safe,
/// and safe against other hosts.
class RefFiles {
 public:
  explicit RefFiles(const RepositoryFolder& folder) : folder_(folder) {}

  [[nodiscard]] HostPath path_of(const std::string& folder, VersionNumber number) const;
  /// Names of `kind` that have a version, ascending.
  [[nodiscard]] Result<std::vector<RefName>> list_names(RefKind kind) const;
  /// Ascending; none if there is no such folder.
  [[nodiscard]] Result<std::vector<VersionNumber>> list_versions(const std::string& folder) const;
  /// The greatest number, probed upwards after listing, because a network filesystem may list from
  /// memory.
  [[nodiscard]] Result<std::optional<VersionNumber>> head(const std::string& folder) const;
  /// Errors: ENOENT.
  [[nodiscard]] Result<std::vector<std::byte>> read(const std::string& folder,
                                                    VersionNumber number) const;

  /// Makes `ref` number `ref.number`, if that is free; durable on return. Errors: EAGAIN
  /// (kLostRace: it is taken), ENOSPC, EROFS, EIO. Fault points: ref.write, ref.link, ref.fsync.
  Result<void> commit(const NewRef& ref, LinkSupport links) const;

 private:
  [[nodiscard]] Result<std::vector<std::string>> list_folders(const std::string& below) const;
  Result<void> write_temporary(const NewRef& ref) const;
  Result<void> link_into_place(const NewRef& ref) const;
  Result<void> rename_into_place(const NewRef& ref) const;
  Result<void> settle_race(const NewRef& ref) const;
  [[nodiscard]] HostPath temporary_path(const NewRef& ref) const;

  const RepositoryFolder& folder_;
};

}  // namespace satchel::store
