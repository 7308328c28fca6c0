#include "store/attributes_encoding.h"

#include <limits>

#include "store/format_error.h"

namespace satchel::store {
namespace {

constexpr std::uint64_t kModeMax = 07777;
constexpr std::uint64_t kIdMax = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kNanosecondsMax = 999'999'999;

}  // namespace

std::uint64_t flags_of(const XattrsRef& xattrs) {
  if (!xattrs.object.is_none()) return kFlagXattrObject;
  return xattrs.inline_set.empty() ? 0 : kFlagXattrs;
}

std::uint64_t flags_of(DirectoryMark mark, const DirectoryRef& directory) {
  std::uint64_t flags = directory.marked_below ? kFlagMarkedBelow : 0;
  if (mark == DirectoryMark::kOpaque) flags |= kFlagOpaque;
  if (mark == DirectoryMark::kInherit) flags |= kFlagInherit;
  return flags;
}

Result<DirectoryMark> mark_of(std::uint64_t flags) {
  const bool is_opaque = (flags & kFlagOpaque) != 0;
  const bool is_inherit = (flags & kFlagInherit) != 0;
  if (is_opaque && is_inherit) return contradiction("a directory is opaque and inherits");
  if (is_opaque) return DirectoryMark::kOpaque;
  return is_inherit ? DirectoryMark::kInherit : DirectoryMark::kNone;
}

void encode_ownership(const Attributes& attributes, ByteWriter& out) {
  out.put_varint(attributes.mode).put_varint(attributes.uid).put_varint(attributes.gid);
  out.put_signed_varint(attributes.mtime.seconds).put_varint(attributes.mtime.nanoseconds);
}

Result<void> decode_ownership(ByteReader& in, Attributes& attributes) {
  SATCHEL_ASSIGN(const std::uint64_t mode, in.get_varint_up_to(kModeMax));
  SATCHEL_ASSIGN(const std::uint64_t uid, in.get_varint_up_to(kIdMax));
  SATCHEL_ASSIGN(const std::uint64_t gid, in.get_varint_up_to(kIdMax));
  SATCHEL_ASSIGN(attributes.mtime.seconds, in.get_signed_varint());
  SATCHEL_ASSIGN(const std::uint64_t nanoseconds, in.get_varint_up_to(kNanosecondsMax));
  attributes.mode = static_cast<std::uint16_t>(mode);
  attributes.uid = static_cast<std::uint32_t>(uid);
  attributes.gid = static_cast<std::uint32_t>(gid);
  attributes.mtime.nanoseconds = static_cast<std::uint32_t>(nanoseconds);
  return {};
}

void encode_xattrs_ref(const XattrsRef& xattrs, ByteWriter& out) {
  if (!xattrs.object.is_none()) {
    out.put_raw(xattrs.object.bytes);
  } else if (!xattrs.inline_set.empty()) {
    out.put_text(xattrs.inline_set);
  }
}

Result<XattrsRef> decode_xattrs_ref(ByteReader& in, std::uint64_t flags) {
  const bool is_inline = (flags & kFlagXattrs) != 0;
  const bool is_object = (flags & kFlagXattrObject) != 0;
  if (is_inline && is_object) return contradiction("an entry has its xattrs in two places");
  XattrsRef xattrs;
  if (is_inline) {
    SATCHEL_ASSIGN(xattrs.inline_set, in.get_text(XattrsRef::kInlineBytesMax));
    if (xattrs.inline_set.empty()) return contradiction("an xattr set without bytes");
  }
  if (is_object) {
    SATCHEL_ASSIGN(xattrs.object, in.get_digest<XattrSetId>());
    if (xattrs.object.is_none()) return contradiction("an xattr set without an id");
  }
  return xattrs;
}

}  // namespace satchel::store
