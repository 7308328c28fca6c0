// Any bytes as an archive, up to the tree of its members: whatever it says, only entries that a
// repository can hold come out.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <span>

#include "base/file_io.h"
#include "store/archive_reader.h"
#include "store/diff.h"
#include "store/import/archive_tree.h"

namespace {

using satchel::Bytes;
using satchel::Result;
namespace store = satchel::store;

constexpr std::uint64_t kContentBytesMax = 16U << 20U;  // a bomb takes no longer than this
constexpr int kMembersMax = 1000;

Result<void> add(const store::ArchiveMember& member, store::ArchiveTree& tree,
                 store::TreeStore& trees) {
  SATCHEL_ASSIGN(const auto path, store::parse_member_path(member.path));
  if (!member.hard_link.empty()) {
    SATCHEL_ASSIGN(const auto target, store::parse_member_path(member.hard_link));
    SATCHEL_TRY(tree.add_link(path, target));
    return {};
  }
  store::Entry entry;
  entry.kind = member.kind;
  entry.attributes.mode = member.mode;
  SATCHEL_ASSIGN(entry.attributes.xattrs, store::write_xattrs(trees, member.xattrs));
  if (member.kind == store::Kind::kSymlink) entry.target = "target";
  SATCHEL_TRY(tree.add(path, entry));
  return {};
}

Result<void> read(int fd, store::ArchiveTree& tree, store::TreeStore& trees) {
  SATCHEL_ASSIGN(auto reader, store::ArchiveReader::open(fd));
  std::uint64_t bytes = 0;
  const store::SparseFileVisitor visitor{.data = [&](Bytes piece) -> Result<void> {
                                           bytes += piece.size();
                                           if (bytes > kContentBytesMax)
                                             return satchel::Error{.code = EFBIG};
                                           return {};
                                         },
                                         .hole = [](std::uint64_t) -> Result<void> { return {}; }};
  for (int members = 0; members < kMembersMax; ++members) {
    SATCHEL_ASSIGN(const auto member, reader.next());
    if (!member) return {};
    SATCHEL_TRY(add(*member, tree, trees));
    SATCHEL_TRY(reader.read_content(visitor));
  }
  return {};
}

int make_memory_file() {
  static const int kFd = ::memfd_create("archive", MFD_CLOEXEC);
  return kFd;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = make_memory_file();
  SATCHEL_ASSERT(::ftruncate(fd, 0) == 0 && ::lseek(fd, 0, SEEK_SET) == 0);
  SATCHEL_ASSERT(satchel::pwrite_all(fd, std::as_bytes(std::span(data, size)), 0).has_value());

  store::MemoryTreeStore trees;
  store::ArchiveTree tree;
  (void)read(fd, tree, trees);  // what came before an error is a tree all the same
  const auto written = tree.write(trees, store::DirectoryMark::kNone);
  SATCHEL_ASSERT(written.has_value());
  store::Root root;
  root.directory = written->directory;
  std::uint64_t names = 0;
  const auto walked = store::walk_tree(trees, root, [&](const auto&, const auto&) -> Result<void> {
    ++names;
    return {};
  });
  SATCHEL_ASSERT(walked.has_value());
  SATCHEL_ASSERT(names == written->files + written->directories);
  return 0;
}
