#include "store/posix_acl.h"

#include <algorithm>

#include "base/encoding.h"

namespace satchel::store {
namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kNoId = 0xFFFF'FFFF;

bool has_id(AclTag tag) {
  return tag == AclTag::kUser || tag == AclTag::kGroup;
}

}  // namespace

std::string encode_acl(std::vector<AclEntry> entries) {
  std::ranges::sort(entries);
  ByteWriter out;
  out.put_u32(kVersion);
  for (const AclEntry& entry : entries) {
    out.put_u16(static_cast<std::uint16_t>(entry.tag)).put_u16(entry.permissions);
    out.put_u32(has_id(entry.tag) ? entry.id : kNoId);
  }
  return std::string(as_text(out.written()));
}

std::uint16_t mode_of_acl(const std::vector<AclEntry>& entries) {
  const auto permissions = [&](AclTag tag) -> unsigned {
    const auto found = std::ranges::find(entries, tag, &AclEntry::tag);
    return found == entries.end() ? 0 : found->permissions;
  };
  const bool has_mask = std::ranges::find(entries, AclTag::kMask, &AclEntry::tag) != entries.end();
  const unsigned group = permissions(has_mask ? AclTag::kMask : AclTag::kOwningGroup);
  return static_cast<std::uint16_t>(permissions(AclTag::kOwner) << 6U | group << 3U |
                                    permissions(AclTag::kOther));
}

}  // namespace satchel::store
