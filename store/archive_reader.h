// Archives: their members and bytes, in the order of the stream. The one door to libarchive.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/entry.h"
#include "store/sparse_file.h"

namespace satchel::store {

/// What an archive says of one name. A value. Nothing in it is to be trusted.
struct ArchiveMember {
  std::string path;         ///< as it stands there: "./a", "/a/" …
  std::string hard_link;    ///< path of an earlier member that this is another name of; empty: none
  Kind kind = Kind::kFile;  ///< not of a hard link
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp mtime;
  Xattrs xattrs;  ///< access control lists as the kernel's xattrs
  std::string target;
  DeviceNumber device;
  std::optional<std::uint64_t> size;  ///< not every format says it beforehand
  bool is_sparse = false;
};

/// Reads tar (GNU, pax, ustar), cpio, zip, 7zip, rar, cab, lha, xar, ar, ISO 9660 and WARC,
/// compressed by anything that libarchive knows. Not mtree, which names files of the host, and not
/// raw files. Names are bytes. Users and groups in access control lists that have no number are
/// looked up on the host.
///
/// Errors of all methods: EBADMSG/kBadArchive (truncated, malformed; the path is the member's), EIO
/// (kIo), those of `between_reads`. Not thread-safe.
class ArchiveReader {
 public:
  static constexpr std::size_t kWarningsMax = 100;

  /// `fd` is borrowed, read from where it stands, and sought in if it can be. `between_reads`, if
  /// given, is called before each read and when one is interrupted; its error ends the reading.
  static Result<ArchiveReader> open(int fd, std::function<Result<void>()> between_reads = {});
  ArchiveReader(ArchiveReader&&) noexcept;
  ArchiveReader& operator=(ArchiveReader&&) noexcept;
  ~ArchiveReader();

  /// The next member; nullopt at the end. A tar must end by its end mark: without it, it may have
  /// been cut between two members.
  Result<std::optional<ArchiveMember>> next();
  /// The bytes of the member that next() gave, once.
  Result<void> read_content(const SparseFileVisitor& visitor);
  /// What could not be kept, at most kWarningsMax of them.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satchel::store
