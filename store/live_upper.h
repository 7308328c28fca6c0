// What a mount has changed since its base version, as a round sees it. Implemented by fs, called by
// syncer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/unique_fd.h"
#include "store/directory.h"
#include "store/refs.h"
#include "store/root.h"

namespace satchel::store {

/// Names one changed file in one workspace, for as long as the workspace exists; never reused.
using UpperId = std::uint64_t;
/// Everything that was changed before a seal belongs to its generation.
using Generation = std::uint64_t;

/// What a directory of the upper is merged with.
enum class BaseOfDirectory : std::uint8_t {
  kNothing,    ///< it is new, or hides what the base has there
  kSamePlace,  ///< the directory of this name in the parent's base directory
  kBasePath,   ///< it was renamed: the base directory at `base_path`
};

/// One changed file, directory or other inode.
struct UpperNode {
  UpperId id = 0;
  FileId file_id;
  Kind kind = Kind::kFile;
  // Attributes. Of a directory they count only if `has_own_attributes`; else the base's hold.
  bool has_own_attributes = true;
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp mtime;
  Xattrs xattrs;
  // Files: bytes that are known already (base content), or bytes to hash.
  std::optional<ContentId> content;
  std::uint64_t size = 0;   ///< of bytes to hash, when sealed
  std::string target;       ///< symlinks
  DeviceNumber device;      ///< devices
  std::uint32_t names = 1;  ///< how many names it has in the whole view
  // Directories.
  BaseOfDirectory base = BaseOfDirectory::kNothing;
  RelativePath base_path;
  struct Child {
    Name name;
    std::optional<std::uint32_t> node;  ///< index into SealedUpper::nodes; nullopt: deleted
    /// The entry that this change was made to, where that is not the base version's under this name
    /// (a base switch happened in between): the third leg of mediation. A whiteout: nothing was
    /// there. Null: the base version's. It stays with the name whatever comes under it.
    std::shared_ptr<const Entry> origin = nullptr;
  };
  std::vector<Child> children;  ///< changed names only, ascending
};

/// The delta of one generation. nodes[0] is the root directory (kSamePlace). A file with several
/// names is one node.
struct SealedUpper {
  Generation generation = 0;
  RootId base_root;
  VersionNumber base_version = 0;
  std::vector<UpperNode> nodes;
};

/// The one batch in which a mount moves to a newer base version.
struct BaseSwitch {
  Generation generation = 0;  ///< rows up to this one were considered
  RootId snapshot;   ///< the tree that they made; equals the view as sealed, for paths that travel
  RootId base_root;  ///< the new base
  VersionNumber base_version = 0;
  RootId image_root;                      ///< image of that version
  std::map<UpperId, ContentId> contents;  ///< what was hashed; rows still equal to it and unchanged
                                          ///< since the seal become base files
  std::function<bool(const RelativePath&, Kind)> travels;  ///< rows of other paths stay
  std::set<std::string> busy;  ///< paths of files that the snapshot does not have as sealed
};

/// Thread-safe; one round at a time is the caller's duty.
class LiveUpper {
 public:
  virtual ~LiveUpper() = default;
  /// Ends the current generation and describes it. Bytes are flushed to the upper's files, not
  /// fsynced.
  virtual Result<SealedUpper> seal() = 0;
  /// The bytes of a changed file, open for reading; may change while they are read.
  virtual Result<UniqueFd> read(UpperId id) = 0;
  /// Nothing was written to the file since the seal of `generation`. False also if that cannot be
  /// told: the kernel may write to it by itself.
  virtual Result<bool> is_unchanged_since(UpperId id, Generation generation) = 0;
  /// Durable on return. Descriptors that are open keep the content they have. The kernel is told of
  /// every name that changed.
  virtual Result<void> switch_base(const BaseSwitch& change) = 0;
};

}  // namespace satchel::store
