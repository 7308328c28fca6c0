#include "store/root.h"

#include "base/sha256.h"
#include "store/attributes_encoding.h"
#include "store/format_error.h"
#include "store/page.h"

namespace satchel::store {
namespace {

constexpr std::string_view kMagic = "SRT0";
constexpr std::uint64_t kFlags =
    kFlagXattrs | kFlagXattrObject | kFlagOpaque | kFlagInherit | kFlagMarkedBelow | kFlagHasLinks;

std::uint64_t flags_of_root(const Root& root) {
  return flags_of(root.attributes.xattrs) | flags_of(root.mark, root.directory) |
         (root.links.is_none() ? 0 : kFlagHasLinks);
}

}  // namespace

Entry Root::as_entry() const {
  Entry entry;
  entry.kind = Kind::kDirectory;
  entry.attributes = attributes;
  entry.file_id = root_file_id();
  entry.directory = directory;
  entry.mark = mark;
  return entry;
}

Root Root::from_entry(const Entry& entry, const PageId& links) {
  Root root;
  root.attributes = entry.attributes;
  root.mark = entry.mark;
  root.directory = entry.directory;
  root.links = links;
  return root;
}

Root empty_tree() {
  Root root;
  root.directory.page = empty_directory_page();
  return root;
}

Root empty_layer() {
  Root root = empty_tree();
  root.mark = DirectoryMark::kInherit;
  return root;
}

std::vector<std::byte> encode_root(const Root& root) {
  ByteWriter out;
  out.put_raw(as_bytes(kMagic)).put_varint(flags_of_root(root));
  encode_ownership(root.attributes, out);
  encode_xattrs_ref(root.attributes.xattrs, out);
  out.put_raw(root.directory.page.bytes).put_varint(root.directory.subdirectories);
  if (!root.links.is_none()) out.put_raw(root.links.bytes);
  return out.take();
}

Result<Root> decode_root(Bytes bytes) {
  ByteReader in(bytes);
  SATCHEL_ASSIGN(const Bytes magic, in.get_raw(kMagic.size()));
  if (as_text(magic) != kMagic) return newer_format("form of a root record");
  SATCHEL_ASSIGN(const std::uint64_t flags, in.get_varint());
  if ((flags & ~kFlags) != 0) return newer_format("flags of a root record");
  Root root;
  SATCHEL_ASSIGN(root.mark, mark_of(flags));
  SATCHEL_TRY(decode_ownership(in, root.attributes));
  SATCHEL_ASSIGN(root.attributes.xattrs, decode_xattrs_ref(in, flags));
  SATCHEL_ASSIGN(root.directory.page, in.get_digest<PageId>());
  SATCHEL_ASSIGN(root.directory.subdirectories, in.get_varint());
  root.directory.marked_below = (flags & kFlagMarkedBelow) != 0;
  if ((flags & kFlagHasLinks) != 0) {
    SATCHEL_ASSIGN(root.links, in.get_digest<PageId>());
    if (root.links.is_none() || root.links == empty_link_page()) {
      return contradiction("a link table without links");
    }
  }
  SATCHEL_TRY(in.expect_end());
  return root;
}

RootId root_id(const Root& root) {
  return RootId{sha256(encode_root(root))};
}

}  // namespace satchel::store
