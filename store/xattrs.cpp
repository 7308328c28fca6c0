// Sets of extended attributes, as bytes. Where a set is kept: read_xattrs() and write_xattrs().
#include "store/entry.h"
#include "store/format_error.h"
#include "store/tree_store.h"

namespace satchel::store {
namespace {

constexpr std::string_view kMagic = "SXA0";
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kValueBytesMax = 65'536;
constexpr std::size_t kXattrBytesMin = 3;  // a name of one byte, no value

}  // namespace

std::string encode_xattrs(const Xattrs& xattrs) {
  if (xattrs.empty()) return {};
  ByteWriter out;
  out.put_raw(as_bytes(kMagic)).put_varint(xattrs.size());
  for (const auto& [name, value] : xattrs) out.put_text(name).put_text(value);
  return std::string(as_text(out.written()));
}

Result<Xattrs> decode_xattrs(Bytes set) {
  if (set.size() > XattrsRef::kObjectBytesMax) return beyond_limit("xattr set above 1 MiB");
  ByteReader in(set);
  SATCHEL_ASSIGN(const Bytes magic, in.get_raw(kMagic.size()));
  if (as_text(magic) != kMagic) return newer_format("form of an xattr set");
  SATCHEL_ASSIGN(const std::size_t count, in.get_count(kXattrBytesMin, set.size()));
  if (count == 0) return contradiction("an xattr set without xattrs");
  Xattrs xattrs;
  for (std::size_t i = 0; i < count; ++i) {
    SATCHEL_ASSIGN(const std::string_view name, in.get_text(kNameBytesMax));
    SATCHEL_ASSIGN(const std::string_view value, in.get_text(kValueBytesMax));
    if (name.empty()) return contradiction("an xattr without a name");
    if (!xattrs.empty() && name <= xattrs.rbegin()->first) {
      return contradiction("xattrs are out of order");
    }
    xattrs.emplace_hint(xattrs.end(), name, value);
  }
  SATCHEL_TRY(in.expect_end());
  return xattrs;
}

Result<Xattrs> read_xattrs(TreeStore& trees, const XattrsRef& ref) {
  if (!ref.object.is_none()) return trees.get_xattrs(ref.object);
  if (ref.inline_set.empty()) return Xattrs{};
  return decode_xattrs(as_bytes(ref.inline_set));
}

Result<XattrsRef> write_xattrs(TreeStore& trees, const Xattrs& xattrs) {
  for (const auto& [name, value] : xattrs) {
    if (name.empty() || name.size() > kNameBytesMax || value.size() > kValueBytesMax) {
      return beyond_limit("xattr name or value beyond its limit");
    }
  }
  XattrsRef ref;
  std::string set = encode_xattrs(xattrs);
  if (set.size() > XattrsRef::kObjectBytesMax) return beyond_limit("xattr set above 1 MiB");
  if (set.size() <= XattrsRef::kInlineBytesMax) {
    ref.inline_set = std::move(set);
  } else {
    SATCHEL_ASSIGN(ref.object, trees.put_xattrs(set));
  }
  return ref;
}

}  // namespace satchel::store
