#include <utility>

#include "store/archive_reader.h"
#include "store/content_writer.h"
#include "store/import/archive_tree.h"
#include "store/import/import_pool.h"
#include "store/import/importer.h"

namespace satchel::store {
namespace {

// Members up to this are hashed and compressed by the pool while the next ones are read. With
// ImportPool::kWaitingMax it bounds the bytes that wait.
constexpr std::uint64_t kBufferedBytesMax = 256U << 10U;

Error error_at(Error error, const std::string& path) {
  if (error.path.empty()) error.path = path;
  return error;
}

class ArchiveImport {
 public:
  ArchiveImport(Upload& upload, TreeStore& trees, const ImportOptions& options)
      : upload_(upload), trees_(trees), options_(options), meter_(options) {}

  Result<ImportResult> run(int fd) {
    SATCHEL_ASSIGN(auto reader, ArchiveReader::open(fd, [this] { return meter_.tick(); }));
    ImportPool pool(options_.threads, meter_);
    while (true) {
      SATCHEL_ASSIGN(const auto member, reader.next());
      if (!member) break;
      if (auto added = add(*member, reader, pool); !added) {
        return error_at(std::move(added).error(), member->path);
      }
    }
    SATCHEL_TRY(pool.finish());
    return finish(reader.warnings());
  }

 private:
  Result<ImportResult> finish(const std::vector<std::string>& warnings) {
    const bool inherits = options_.directory_attributes == DirectoryAttributes::kInherit;
    const DirectoryMark mark = inherits ? DirectoryMark::kInherit : DirectoryMark::kNone;
    SATCHEL_ASSIGN(const ArchiveTree::Written written, tree_.write(trees_, mark));
    ImportResult result;
    result.root.mark = mark;
    // A root that inherits has no attributes of its own: docs/format.md, section 4.
    result.root.attributes = inherits ? empty_layer().attributes : written.attributes;
    result.root.directory = written.directory;
    result.root.links = written.links;
    result.files = written.files;
    result.directories = written.directories;
    result.bytes = written.bytes;
    result.warnings = warnings;
    return result;
  }

  Result<void> add(const ArchiveMember& member, ArchiveReader& reader, ImportPool& pool) {
    SATCHEL_ASSIGN(const std::vector<Name> path, parse_member_path(member.path));
    if (!member.hard_link.empty()) return add_link(member, path, reader, pool);
    SATCHEL_ASSIGN(Entry entry, make_entry(member));
    SATCHEL_ASSIGN(auto inode, tree_.add(path, std::move(entry)));
    if (member.kind != Kind::kDirectory) meter_.add_file();
    return member.kind == Kind::kFile ? store(member, std::move(inode), reader, pool)
                                      : Result<void>();
  }

  // In cpio the last name of a file has its bytes, in pax any may have them once more.
  Result<void> add_link(const ArchiveMember& member, const std::vector<Name>& path,
                        ArchiveReader& reader, ImportPool& pool) {
    SATCHEL_ASSIGN(const std::vector<Name> target, parse_member_path(member.hard_link));
    SATCHEL_ASSIGN(auto inode, tree_.add_link(path, target));
    meter_.add_file();
    if (inode->entry.kind != Kind::kFile || member.size.value_or(0) == 0) return {};
    SATCHEL_TRY(pool.finish());  // the first name's bytes may still be on their way to the inode
    return store(member, std::move(inode), reader, pool);
  }

  Result<Entry> make_entry(const ArchiveMember& member) {
    constexpr std::uint16_t kSymlinkMode = 0777;
    constexpr std::size_t kTargetBytesMax = 4'095;
    Entry entry;
    entry.kind = member.kind;
    entry.attributes = {.mode = member.kind == Kind::kSymlink ? kSymlinkMode : member.mode,
                        .uid = member.uid,
                        .gid = member.gid,
                        .mtime = member.mtime,
                        .xattrs = {}};
    SATCHEL_ASSIGN(entry.attributes.xattrs, write_xattrs(trees_, member.xattrs));
    entry.target = member.target;
    entry.device = member.device;
    if (member.kind == Kind::kSymlink &&
        (member.target.empty() || member.target.size() > kTargetBytesMax)) {
      return Error{.code = EBADMSG,
                   .sat = Sat::kBadArchive,
                   .message = "a symbolic link with a target that none can have"};
    }
    return entry;
  }

  Result<void> store(const ArchiveMember& member, std::shared_ptr<ArchiveTree::Inode> inode,
                     ArchiveReader& reader, ImportPool& pool) {
    if (!member.size || *member.size > kBufferedBytesMax || member.is_sparse) {
      return store_now(*inode, reader);
    }
    std::vector<std::byte> bytes;
    bytes.reserve(static_cast<std::size_t>(*member.size));
    const SparseFileVisitor visitor{.data = [&](Bytes piece) -> Result<void> {
                                      bytes.insert(bytes.end(), piece.begin(), piece.end());
                                      return {};
                                    },
                                    .hole = [&](std::uint64_t hole) -> Result<void> {
                                      // Never beyond the announced size: read_content().
                                      bytes.resize(bytes.size() + static_cast<std::size_t>(hole));
                                      return {};
                                    }};
    SATCHEL_TRY(reader.read_content(visitor));
    meter_.add_bytes(static_cast<std::int64_t>(bytes.size()));
    return pool.submit(
        [this, inode = std::move(inode), bytes = std::move(bytes)]() -> Result<void> {
          ContentWriter writer(upload_);
          SATCHEL_TRY(writer.append(bytes));
          SATCHEL_ASSIGN(inode->entry.content, writer.finish());
          return {};
        });
  }

  Result<void> store_now(ArchiveTree::Inode& inode, ArchiveReader& reader) {
    ContentWriter writer(upload_);
    const SparseFileVisitor visitor{.data = [&](Bytes bytes) -> Result<void> {
                                      meter_.add_bytes(static_cast<std::int64_t>(bytes.size()));
                                      SATCHEL_TRY(meter_.tick());
                                      return writer.append(bytes);
                                    },
                                    .hole = [&](std::uint64_t bytes) -> Result<void> {
                                      meter_.add_bytes(static_cast<std::int64_t>(bytes));
                                      return writer.append_hole(bytes);
                                    }};
    SATCHEL_TRY(reader.read_content(visitor));
    SATCHEL_ASSIGN(inode.entry.content, writer.finish());
    return {};
  }

  Upload& upload_;
  TreeStore& trees_;
  const ImportOptions& options_;
  ImportMeter meter_;
  ArchiveTree tree_;
};

}  // namespace

Result<ImportResult> import_archive(int fd, Upload& upload, TreeStore& trees,
                                    const ImportOptions& options) {
  return ArchiveImport(upload, trees, options).run(fd);
}

}  // namespace satchel::store
