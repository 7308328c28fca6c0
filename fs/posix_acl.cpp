#include "fs/posix_acl.h"

#include <algorithm>

#include "base/encoding.h"

namespace satchel::fs {
namespace {

constexpr std::uint32_t kAclVersion = 2;
constexpr std::uint32_t kNoId = UINT32_MAX;
constexpr std::size_t kEntryBytes = 8;

AclEntry* find_tag(Acl& acl, std::uint16_t tag) {
  const auto found =
      std::find_if(acl.begin(), acl.end(), [&](const AclEntry& entry) { return entry.tag == tag; });
  return found == acl.end() ? nullptr : &*found;
}

/// The entry that the group bits of the mode are.
AclEntry* find_group_bits(Acl& acl) {
  AclEntry* const mask = find_tag(acl, AclEntry::kMask);
  return mask != nullptr ? mask : find_tag(acl, AclEntry::kGroupObject);
}

/// One each of owner, owning group and others; a mask if anybody is named; nobody named twice.
bool is_valid(const Acl& acl) {
  const auto count = [&](std::uint16_t tag) {
    return std::count_if(acl.begin(), acl.end(), [&](const AclEntry& e) { return e.tag == tag; });
  };
  const auto named = count(AclEntry::kUser) + count(AclEntry::kGroup);
  if (count(AclEntry::kUserObject) != 1 || count(AclEntry::kGroupObject) != 1 ||
      count(AclEntry::kOther) != 1 || count(AclEntry::kMask) > 1) {
    return false;
  }
  if (named > 0 && count(AclEntry::kMask) == 0) return false;
  for (auto entry = acl.begin(); entry != acl.end(); ++entry) {
    if (entry->permissions > 7) return false;
    const auto next = std::next(entry);
    if (next == acl.end()) break;
    if (next->tag < entry->tag) return false;
    if (next->tag == entry->tag && next->id == entry->id) return false;
  }
  return named + 3 + count(AclEntry::kMask) == static_cast<std::ptrdiff_t>(acl.size());
}

/// Leaves in `entry` only what three bits of `mode` allow, and in the mode only what `entry` does.
void restrict_both(AclEntry& entry, std::uint16_t& mode, unsigned shift) {
  entry.permissions = static_cast<std::uint16_t>(entry.permissions & (mode >> shift) & 7U);
  const unsigned others = 0777U & ~(7U << shift);
  mode = static_cast<std::uint16_t>((mode & others) | unsigned{entry.permissions} << shift);
}

}  // namespace

Result<Acl> decode_acl(std::string_view value) {
  ByteReader in(as_bytes(value));
  const Error invalid{.code = EINVAL};
  const auto version = in.get_u32();
  if (!version || in.remaining() % kEntryBytes != 0) return invalid;
  if (*version != kAclVersion) return Error{.code = EOPNOTSUPP};
  Acl acl;
  while (in.remaining() > 0) {
    AclEntry entry;
    SATCHEL_ASSIGN(entry.tag, in.get_u16());
    SATCHEL_ASSIGN(entry.permissions, in.get_u16());
    SATCHEL_ASSIGN(entry.id, in.get_u32());
    if (entry.tag != AclEntry::kUser && entry.tag != AclEntry::kGroup) entry.id = kNoId;
    acl.push_back(entry);
  }
  if (!acl.empty() && !is_valid(acl)) return invalid;
  return acl;
}

std::string encode_acl(const Acl& acl) {
  ByteWriter out;
  out.put_u32(kAclVersion);
  for (const AclEntry& entry : acl) {
    out.put_u16(entry.tag).put_u16(entry.permissions).put_u32(entry.id);
  }
  return std::string(as_text(out.written()));
}

AclMode mode_of_acl(const Acl& acl) {
  AclMode found;
  unsigned mode = 0;
  std::optional<unsigned> mask;
  for (const AclEntry& entry : acl) {
    switch (entry.tag) {
      case AclEntry::kUserObject:
        mode |= unsigned{entry.permissions} << 6U;
        break;
      case AclEntry::kGroupObject:
        mode |= unsigned{entry.permissions} << 3U;
        break;
      case AclEntry::kOther:
        mode |= entry.permissions;
        break;
      case AclEntry::kMask:
        mask = entry.permissions;
        found.is_all = false;
        break;
      default:
        found.is_all = false;
    }
  }
  if (mask) mode = (mode & ~070U) | *mask << 3U;
  found.mode = static_cast<std::uint16_t>(mode);
  return found;
}

InheritedAcl inherit_acl(Acl directory_default, std::uint16_t mode) {
  const auto special = static_cast<std::uint16_t>(mode & 07000);
  mode = static_cast<std::uint16_t>(mode & 0777);
  const bool is_all = mode_of_acl(directory_default).is_all;
  if (auto* owner = find_tag(directory_default, AclEntry::kUserObject)) {
    restrict_both(*owner, mode, 6);
  }
  if (auto* group = find_group_bits(directory_default)) restrict_both(*group, mode, 3);
  if (auto* other = find_tag(directory_default, AclEntry::kOther)) restrict_both(*other, mode, 0);
  InheritedAcl inherited{.mode = static_cast<std::uint16_t>(mode | special), .access = {}};
  if (!is_all) inherited.access = std::move(directory_default);
  return inherited;
}

void apply_mode_to_acl(std::uint16_t mode, store::Xattrs& xattrs) {
  const auto found = xattrs.find(std::string(kAccessAclXattr));
  if (found == xattrs.end()) return;
  auto acl = decode_acl(found->second);
  if (!acl) return;  // foreign bytes that were imported: they are not ours to change
  if (auto* owner = find_tag(*acl, AclEntry::kUserObject)) {
    owner->permissions = static_cast<std::uint16_t>(mode >> 6U & 7U);
  }
  if (auto* group = find_group_bits(*acl)) {
    group->permissions = static_cast<std::uint16_t>(mode >> 3U & 7U);
  }
  if (auto* other = find_tag(*acl, AclEntry::kOther)) {
    other->permissions = static_cast<std::uint16_t>(mode & 7U);
  }
  found->second = encode_acl(*acl);
}

}  // namespace satchel::fs
